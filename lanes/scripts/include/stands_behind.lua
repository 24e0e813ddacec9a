-- stands_behind(location, record, id, seq): whether the job stands behind the head of its record. The list is in the order of
-- `seq`, so a few looks are enough, however long it is; only where they do not find it, the whole is read.
local function stands_behind(location, record, id, seq)
  local behind = key.behind(location, record)
  local low, high = 0, redis.call('LLEN', behind) - 1
  if high < 0 then return false end
  while seq and high - low > 64 do
    local middle = math.floor((low + high) / 2)
    local other = tonumber(redis.call('HGET', key.job(redis.call('LINDEX', behind, middle)), 'seq'))
    if not other then break end
    if other < seq then low = middle + 1 else high = middle end
  end
  for _, other in ipairs(redis.call('LRANGE', behind, low, high)) do
    if other == id then return true end
  end
  return redis.call('LPOS', behind, id) and true or false
end
