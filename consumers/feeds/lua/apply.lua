-- Write one batch of posts, move the versions that it touches, and store the checkpoint: all or nothing.
--
-- KEYS[1] <root>meta
-- ARGV    root, incarnation, generation, checkpoint (empty: there is more of the batch), changes (JSON):
--         posts    [{id, static, counts}, ...]  what stands in the truth now
--         gone     [id, ...]                    what does not
--         moved    [version, ...]               viewers whose profile or interests have changed
--         caps     {public, school, author, hot}, pin
--         expected (empty: whatever is there), written: checkpoints, one of which has to stand here
-- Returns OK, or STALE (a newer owner has written), or FORGOTTEN (the view is not the one that was
-- prepared, or went back).
--
-- Pools are written before the post itself: were the script cut short by an error, writing it again completes it.

local meta, root = KEYS[1], ARGV[1]
local refused = refusal(meta, ARGV[2], ARGV[3])
if refused then
  return refused
end
if ARGV[6] ~= '' then
  local found = redis.call('HGET', meta, 'checkpoint')
  if found ~= ARGV[6] and found ~= ARGV[7] then
    return 'FORGOTTEN'
  end
end

local base = root .. ARGV[2] .. ':'
local changes = cjson.decode(ARGV[5])
local caps = changes.caps
local touched_pools, versions = {}, {}

local function recent_score(post)
  return string.format('%.0f', post.c + (post.k and changes.pin or 0))
end

-- The pools that a post belongs to: name -> score. `hot` is nil while nobody has engaged.
local function pools_of(post, hot)
  local pools, recent = {}, recent_score(post)
  if post.v ~= 'PUBLIC' and post.v ~= 'SCHOOL' and post.v ~= 'CLASS' then
    pools['recent:private:' .. post.a] = recent
    return pools
  end
  pools['recent:author:' .. post.a] = recent
  if post.v == 'PUBLIC' then
    pools['recent:public'] = recent
    pools['hot:public'] = hot
  end
  if post.s and post.v ~= 'CLASS' then
    pools['recent:school:' .. post.s] = recent
    pools['hot:school:' .. post.s] = hot
  end
  return pools
end

local function understand(static, counts)
  local post = cjson.decode(static)
  return { post = post, static = static, counts = counts, pools = pools_of(post, cjson.decode(counts).x) }
end

local function read(id)
  local text = redis.call('GET', base .. 'post:' .. id)
  if not text then
    return nil
  end
  local cut = string.find(text, '\n', 1, true)
  return understand(string.sub(text, 1, cut - 1), string.sub(text, cut + 1))
end

local function place(id, pools, former)
  for pool in pairs(former) do
    if not pools[pool] then
      redis.call('ZREM', base .. pool, id)
    end
  end
  for pool, score in pairs(pools) do
    if former[pool] ~= score then
      redis.call('ZADD', base .. pool, score, id)
      touched_pools[pool] = true
    end
  end
end

local function cap_of(pool)
  if string.sub(pool, 1, 4) == 'hot:' then
    return caps.hot
  elseif pool == 'recent:public' then
    return caps.public
  elseif string.sub(pool, 1, 14) == 'recent:school:' then
    return caps.school
  end
  return caps.author
end

-- Whoever reads this post's author, school or everybody's posts: news ends their pages, drift only old ones.
local function move_versions(post, news)
  if news then
    versions['a:' .. post.a] = true
  end
  if post.v == 'PUBLIC' then
    versions['p'] = true
  end
  if post.s and (post.v == 'PUBLIC' or post.v == 'SCHOOL') then
    versions['d:' .. post.s] = true
    if news then
      versions['s:' .. post.s] = true
    end
  end
end

local written = {}
for _, state in ipairs(changes.posts) do
  local id, static, counts = state[1], state[2], state[3]
  local old = read(id)
  if not (old and old.static == static and old.counts == counts) then
    local new = understand(static, counts)
    place(id, new.pools, old and old.pools or {})
    redis.call('SET', base .. 'post:' .. id, static .. '\n' .. counts)
    written[id] = { old = old, new = new }
  end
end
for _, id in ipairs(changes.gone) do
  local old = read(id)
  if old then
    place(id, {}, old.pools)
    redis.call('DEL', base .. 'post:' .. id)
    move_versions(old.post, true)
  end
end

-- What is beyond a pool's cap is dropped; a post that no pool holds any more goes with it.
local dropped = {}

local function trim(pool)
  local beyond = redis.call('ZRANGE', base .. pool, 0, -(cap_of(pool) + 1), 'WITHSCORES')
  if #beyond == 0 then
    return
  end
  redis.call('ZREMRANGEBYRANK', base .. pool, 0, #beyond / 2 - 1)
  local floor = redis.call('HGET', base .. 'floors', pool)
  if not floor or tonumber(beyond[#beyond]) > tonumber(floor) then
    redis.call('HSET', base .. 'floors', pool, beyond[#beyond])
  end
  for place = 1, #beyond, 2 do
    dropped[beyond[place]] = true
  end
end

local function is_held(id, pools)
  for pool in pairs(pools) do
    if redis.call('ZSCORE', base .. pool, id) then
      return true
    end
  end
  return false
end

for pool in pairs(touched_pools) do
  trim(pool)
end
for id in pairs(dropped) do
  local post = written[id] and written[id].new or read(id)
  if post and not is_held(id, post.pools) then
    redis.call('DEL', base .. 'post:' .. id)
    if written[id] then
      written[id].unheld = true
    end
  end
end

for _, change in pairs(written) do
  local old, new = change.old, change.new
  if old or not change.unheld then
    move_versions(new.post, not old or old.static ~= new.static)
    if old and old.static ~= new.static then
      move_versions(old.post, true)
    end
  end
end
for _, version in ipairs(changes.moved) do
  versions[version] = true
end
for version in pairs(versions) do
  redis.call('HINCRBY', base .. 'versions', version, 1)
end

redis.call('HSET', meta, 'generation', ARGV[3])
if ARGV[4] ~= '' then
  redis.call('HSET', meta, 'checkpoint', ARGV[4])
end
return 'OK'
