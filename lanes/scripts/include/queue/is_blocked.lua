-- is_blocked(location, record, id, seq): whether the job is in the blocked list of its record. The list is ordered by
-- seq, so a binary search usually finds it; else the whole list is read.
local function is_blocked(location, record, id, seq)
  local blocked = key.blocked(location, record)
  local low, high = 0, redis.call('LLEN', blocked) - 1
  if high < 0 then return false end
  while seq and high - low > 64 do
    local middle = math.floor((low + high) / 2)
    local other = redis.call('LINDEX', blocked, middle)
    local other_seq = tonumber(redis.call('HGET', key.job(other), 'seq'))
    if not other_seq then break end
    if other_seq < seq then low = middle + 1 else high = middle end
  end
  for _, other in ipairs(redis.call('LRANGE', blocked, low, high)) do
    if other == id then return true end
  end
  return redis.call('LPOS', blocked, id) and true or false
end
