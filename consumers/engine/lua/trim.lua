-- Trim all streams of one partition. ARGV[1] drop what lies before this id; ARGV[2] keep about so many entries at most.
-- Replies how many entries went.
local removed = 0
for i = 1, #KEYS do
  removed = removed + redis.call('XTRIM', KEYS[i], 'MINID', '~', ARGV[1])
  removed = removed + redis.call('XTRIM', KEYS[i], 'MAXLEN', '~', ARGV[2])
end
return removed
