-- Let two lives of the view change names: what readers find under `meta` stands under the shadow's name afterwards.
--
-- KEYS[1] <root>meta   KEYS[2] the shadow's meta   KEYS[3] a name that nothing has
-- ARGV    incarnation that serves (empty: none), incarnation of the shadow, both before the exchange
-- Returns OK, DONE (it has happened already), or MOVED (other lives stand there). Data keys carry their incarnation and
-- stay where they are.

local serving = redis.call('HGET', KEYS[1], 'incarnation') or ''
if serving == ARGV[2] then
  return 'DONE'
end
if serving ~= ARGV[1] or redis.call('HGET', KEYS[2], 'incarnation') ~= ARGV[2] then
  return 'MOVED'
end
redis.call('RENAME', KEYS[2], KEYS[3])
if serving ~= '' then
  redis.call('RENAME', KEYS[1], KEYS[2])
end
redis.call('RENAME', KEYS[3], KEYS[1])
return 'OK'
