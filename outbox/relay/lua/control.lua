-- Put one control entry on every stream of one partition: marker, gap or end (schemas/wire.py).
-- ARGV[3] new progress, which is also the entry's id; ARGV[4] kind; ARGV[5] number of fields that follow, ARGV[6]… the
-- fields and values; then the topics.
-- An end also closes the epoch: nothing is written to these streams any more. Replies {'OK'}.

local refused = refusal()
if refused then return refused end

local count = tonumber(ARGV[5])
local entry = {'c', ARGV[4]}
for i = 6, 5 + count do entry[#entry + 1] = ARGV[i] end

local fields, known = counters(6 + count)
local changes = {'progress', ARGV[3]}
for i = 2, #KEYS do
  local number = tonumber(known[i - 1] or 0) + 1
  call('XADD', KEYS[i], ARGV[3], 'n', number, unpack(entry))
  changes[#changes + 1] = fields[i - 1]
  changes[#changes + 1] = number
end
if ARGV[4] == 'marker' then
  changes[#changes + 1] = 'marker'
  changes[#changes + 1] = ARGV[7]
elseif ARGV[4] == 'end' then
  changes[#changes + 1] = 'closed'
  changes[#changes + 1] = ARGV[7]
end
call('HSET', KEYS[1], unpack(changes))
return {'OK'}
