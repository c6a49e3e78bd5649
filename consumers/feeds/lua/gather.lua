-- Everything that one ranking needs, read at one moment: versions, and the posts at the top of some pools.
--
-- KEYS[1] <root>meta
-- ARGV    root, question (JSON):
--         versions  [name, ...]
--         groups    [{pools: [name, ...], each, total, max, min}, ...]   `each` per pool, the first `total` of all
--         floors    [pool, ...]   pools whose depth matters (chronological reading)
-- Returns {} when there is no view, else
--         {incarnation, {version or nil, ...}, {post text, ...}, cut, {floor or nil, ...}}: `cut` is 1 when a
--         chronological pool had, or may have had, more; a pool has never dropped anything above its floor.
-- Ties are broken by id, descending, as ZREVRANGE does and the SQL of the fallback.

local incarnation = redis.call('HGET', KEYS[1], 'incarnation')
if not incarnation then
  return {}
end
local base = ARGV[1] .. incarnation .. ':'
local question = cjson.decode(ARGV[2])
local CHUNK = 1000

-- One command over many arguments, in chunks that fit Lua's stack.
local function in_chunks(command, prefix, names, key)
  local results = {}
  for first = 1, #names, CHUNK do
    local arguments = {}
    for place = first, math.min(first + CHUNK - 1, #names) do
      arguments[#arguments + 1] = prefix .. names[place]
    end
    local part
    if key then
      part = redis.call(command, key, unpack(arguments))
    else
      part = redis.call(command, unpack(arguments))
    end
    for place = 1, #arguments do
      results[first + place - 1] = part[place]
    end
  end
  return results
end

local function later(one, other)
  if one[2] ~= other[2] then
    return one[2] > other[2]
  end
  return one[1] > other[1]
end

local cut = 0

local function top(group)
  local found = {}
  for _, pool in ipairs(group.pools) do
    local pairs_ = redis.call(
      'ZREVRANGEBYSCORE', base .. pool, group.max, group.min, 'WITHSCORES', 'LIMIT', 0, group.each)
    if #pairs_ == 2 * group.each and group.min == '-inf' then
      cut = 1
    end
    for place = 1, #pairs_, 2 do
      found[#found + 1] = { pairs_[place], tonumber(pairs_[place + 1]) }
    end
  end
  if #group.pools > 1 and #found > group.total then
    cut = 1
    table.sort(found, later)
  end
  return found
end

local ids, known = {}, {}
for _, group in ipairs(question.groups) do
  local found = top(group)
  for place = 1, math.min(#found, group.total) do
    local id = found[place][1]
    if not known[id] then
      known[id] = true
      ids[#ids + 1] = 'post:' .. id
    end
  end
end

local posts = {}
for _, text in ipairs(in_chunks('MGET', base, ids)) do
  if text then
    posts[#posts + 1] = text
  end
end
return {
  incarnation,
  in_chunks('HMGET', '', question.versions, base .. 'versions'),
  posts,
  cut,
  in_chunks('HMGET', '', question.floors, base .. 'floors'),
}
