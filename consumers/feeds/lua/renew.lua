-- Begin another life of the view, empty, with the checkpoint of the one before.
--
-- KEYS[1] <root>meta   KEYS[2] the name under which the former life is found until its keys are gone
-- ARGV    incarnation that stands there, the new one, generation
-- Returns OK, STALE or FORGOTTEN, as apply.lua.

local meta = KEYS[1]
local refused = refusal(meta, ARGV[1], ARGV[3])
if refused then
  return refused
end
redis.call('HSET', KEYS[2], 'incarnation', ARGV[1])
redis.call('HSET', meta, 'incarnation', ARGV[2], 'generation', ARGV[3])
return 'OK'
