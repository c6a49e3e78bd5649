-- Before every script that writes: why this writer may not, nil when it may.
--
-- FORGOTTEN: the life under `meta` is not the one that was prepared. STALE: a newer owner has written.
local function refusal(meta, incarnation, generation)
  if redis.call('HGET', meta, 'incarnation') ~= incarnation then
    return 'FORGOTTEN'
  end
  local seen = redis.call('HGET', meta, 'generation')
  if seen and tonumber(seen) > tonumber(generation) then
    return 'STALE'
  end
end

