-- @include queue/enqueue_active
-- @include queue/set_aside
local function promote_job(location, id)
  local job = redis.call('HMGET', key.job(id), 'seq', 'priority')
  redis.call('ZADD', key.ready(location), rank(tonumber(job[1]), tonumber(job[2])), id)
end

-- promote_due(location): moves jobs whose backoff or not-before is over from `delayed` to `ready`, and a broken job to
-- nowhere. Returns the first delayed job and its time.
local function promote_due(location)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.delayed(location), '-inf', now, 'LIMIT', 0, 64)) do
    local readable, broken = isolate(location, id, promote_job, location, id)
    redis.call('ZREM', key.delayed(location), id)
    if not readable then report_broken(location, id, broken) end
  end
  return redis.call('ZRANGE', key.delayed(location), 0, 0, 'WITHSCORES')
end
