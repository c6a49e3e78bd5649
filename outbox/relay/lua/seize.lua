-- Become the one relay of a partition: from now on a smaller fence is refused. ARGV[1] fence, ARGV[3]… topics.
-- Counters that were lost while their stream was kept are taken up again from the stream's last entry.
-- Replies {'OK', progress, marker, top of each stream in the order of KEYS…}.

local wrong = wrong_type()
if wrong then return wrong end

local state = call('HMGET', KEYS[1], 'fence', 'progress', 'closed', 'marker')
if state[3] then return {'CLOSED', state[3]} end
if state[1] and tonumber(state[1]) > tonumber(ARGV[1]) then return {'FENCED', state[1]} end
call('HSET', KEYS[1], 'fence', ARGV[1])

local reply = {'OK', state[2] or '', state[4] or '0'}
local fields, known = counters(3)
for i = 2, #KEYS do
  local top = '0-0'
  if call('EXISTS', KEYS[i]) == 1 then
    local info = call('XINFO', 'STREAM', KEYS[i])
    for j = 1, #info, 2 do
      if info[j] == 'last-generated-id' then top = info[j + 1] end
    end
    local last = not known[i - 1] and call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
    local number = last and head_of(last)
    if number then call('HSET', KEYS[1], fields[i - 1], number) end
  end
  reply[#reply + 1] = top
end
return reply
