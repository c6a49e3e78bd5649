-- Begin another life of the view, empty, with the checkpoint of the one before.
--
-- KEYS[1] <root>meta   KEYS[2] the name under which the former life is found until its keys are gone
-- ARGV    incarnation that stands there, the new one, generation
-- Returns OK, STALE or FORGOTTEN, as apply.lua.

local meta = KEYS[1]
if redis.call('HGET', meta, 'incarnation') ~= ARGV[1] then
  return 'FORGOTTEN'
end
local seen = redis.call('HGET', meta, 'generation')
if seen and tonumber(seen) > tonumber(ARGV[3]) then
  return 'STALE'
end
redis.call('HSET', KEYS[2], 'incarnation', ARGV[1])
redis.call('HSET', meta, 'incarnation', ARGV[2], 'generation', ARGV[3])
return 'OK'
