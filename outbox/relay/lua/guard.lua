-- Stands before each script that writes. KEYS[1] is the relay's hash, the rest are the streams of the partition.
-- ARGV[1] fence, ARGV[2] expected progress (position text, '' = nothing published yet).
-- Returns a reply that refuses, or nil: then not a single key has been written yet, and none is of a wrong type.

local call = redis.call

local function wrong_type()
  for i = 1, #KEYS do
    local kind = call('TYPE', KEYS[i]).ok
    if kind ~= 'none' and kind ~= (i == 1 and 'hash' or 'stream') then
      return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' holds a ' .. kind)
    end
  end
end

local function refusal()
  local wrong = wrong_type()
  if wrong then return wrong end
  local state = call('HMGET', KEYS[1], 'fence', 'progress', 'closed')
  local progress = state[2] or ''
  if state[3] then return {'CLOSED', state[3]} end
  if state[1] and tonumber(state[1]) > tonumber(ARGV[1]) then return {'FENCED', state[1]} end
  if state[1] ~= ARGV[1] or progress ~= ARGV[2] then return {'MISMATCH', progress} end
end

-- The number of the last entry of each stream, by topic: ARGV[from], … name the topics in the order of KEYS.
local function counters(from)
  local fields = {}
  for i = from, #ARGV do fields[#fields + 1] = 'n:' .. ARGV[i] end
  return fields, call('HMGET', KEYS[1], unpack(fields))
end

-- The dense number of an entry, and of an event its outbox id (schemas/wire.py).
local function head_of(entry)
  local values = entry[2]
  for i = 1, #values, 2 do
    if values[i] == 'n' then return tonumber(values[i + 1]) end
    if values[i] == 'm' then
      local number, event = string.match(values[i + 1], '^(%d+) (%d+) ')
      return tonumber(number), event
    end
  end
end
