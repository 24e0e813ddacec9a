-- @include queue/enqueue_active
-- oldest(location): returns when the oldest job that could be sent now was accepted or replayed. Checks the first job
-- of each priority, the next delayed jobs and, if all active jobs are in flight, the first blocked ones.
local DELAYED_CHECKED = 20

local function oldest(location)
  local found
  local function inspect(id)
    local job = redis.call('HMGET', key.job(id), 'accepted_at', 'not_before', 'replayed_at')
    local at = tonumber(job[1]) or now
    if job[2] or job[3] then at = math.max(at, tonumber(job[2]) or 0, tonumber(job[3]) or 0) end
    if at <= now and (not found or at < found) then found = at end
  end
  local ready = key.ready(location)
  local first = redis.call('ZRANGE', ready, 0, 0, 'WITHSCORES')
  local delayed = redis.call('ZRANGE', key.delayed(location), 0, DELAYED_CHECKED - 1)
  local active = first[1] or delayed[1]
  while first[1] do
    inspect(first[1])
    local score = tonumber(first[2]) or 0
    if score >= 0 then break end  -- without priority
    local from = string.format('%.0f', rank(0, math.ceil(-score / 1e14) - 1))
    first = redis.call('ZRANGEBYSCORE', ready, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  end
  for at = 1, #delayed do inspect(delayed[at]) end
  if not active then
    for _, record in ipairs(redis.call('HKEYS', key.active(location))) do
      local id = redis.call('LINDEX', key.blocked(location, record), 0)
      if id then inspect(id) end
    end
  end
  return found
end
