-- Append one batch to the streams of one partition and move the progress with it, or do nothing at all.
-- ARGV[3] new progress, ARGV[4] 'append' | 'skip', ARGV[5] layout of a row for struct.unpack, ARGV[6] frames
-- (batch.py), ARGV[7]… topics.
--
-- 'skip' is for the first batches after a restart: an entry that is there already, and is the same event, is passed
-- over. One that should be there and is not, with older ones before it, is counted as missing: its place is gone.
-- Replies {'OK', appended, skipped, missing, unknown}; unknown counts rows of topics that have no stream.

local refused = refusal()
if refused then return refused end

local fields, known = counters(7)
local stream, n, touched = {}, {}, {}
for i = 7, #ARGV do
  stream[ARGV[i]] = KEYS[i - 5]
  n[ARGV[i]] = tonumber(known[i - 6] or 0)
end

local skipping = ARGV[4] == 'skip'
local appended, skipped, missing, unknown = 0, 0, 0, 0

local function greater(a, b)  -- decimal numbers of any length
  return #a > #b or (#a == #b and a > b)
end

local function behind(id, other)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  local other_ms, other_seq = string.match(other, '^(%d+)-(%d+)$')
  return greater(ms, other_ms) or (ms == other_ms and greater(seq, other_seq))
end

local edges = {}
local function edges_of(key)
  if not edges[key] then
    local found = {top = '0-0'}
    if call('EXISTS', key) == 1 then
      local info = call('XINFO', 'STREAM', key)
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then found.top = info[i + 1] end
        if info[i] == 'first-entry' and info[i + 1] then found.first = info[i + 1][1] end
      end
    end
    edges[key] = found
  end
  return edges[key]
end

-- Whether the entry needs no appending: it is there, has been trimmed, or can't be put there any more.
local function passed_over(topic, id, event)
  local edge = edges_of(stream[topic])
  if behind(id, edge.top) then return false end
  local entry = call('XRANGE', stream[topic], id, id)[1]
  if entry then
    local number, there = head_of(entry)
    if there == event then
      if number > n[topic] then n[topic], touched[topic] = number, true end
      skipped = skipped + 1
      return true
    end
  elseif not edge.first or behind(edge.first, id) then
    skipped = skipped + 1
    return true
  end
  missing = missing + 1
  return true
end

local layout, frames = '>Bc0' .. string.sub(ARGV[5], 2), ARGV[6]
local take, size, at = struct.unpack, #frames, 1
while at <= size do
  local id, i, x, o, topic, t, k, d, h
  id, i, x, o, topic, t, k, d, h, at = take(layout, frames, at)
  local key = stream[topic]
  if not key then
    unknown = unknown + 1
  elseif not (skipping and passed_over(topic, id, i)) then
    local number = n[topic] + 1
    n[topic], touched[topic] = number, true
    local m = number .. ' ' .. i .. ' ' .. x .. ' ' .. o .. ' ' .. t .. ' ' .. k
    if h == '{}' then
      call('XADD', key, id, 'm', m, 'd', d)
    else
      call('XADD', key, id, 'm', m, 'd', d, 'h', h)
    end
    appended = appended + 1
  end
end

local changes = {'progress', ARGV[3]}
for topic in pairs(touched) do
  changes[#changes + 1] = 'n:' .. topic
  changes[#changes + 1] = n[topic]
end
call('HSET', KEYS[1], unpack(changes))
return {'OK', appended, skipped, missing, unknown}
