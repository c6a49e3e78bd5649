-- Acknowledge entries of several streams of one partition at once: where Redis is paid by the command, one is enough.
-- ARGV[1] group; then for each stream in KEYS the number of ids and the ids. Replies how many were pending.
local removed, at = 0, 2
for i = 1, #KEYS do
  local last = at + tonumber(ARGV[at])
  for first = at + 1, last, 1000 do  -- unpack has a limit
    removed = removed + redis.call('XACK', KEYS[i], ARGV[1], unpack(ARGV, first, math.min(first + 999, last)))
  end
  at = last + 1
end
return removed
