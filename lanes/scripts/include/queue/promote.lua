-- @include queue/enqueue_active
-- promote(location, record, priority): raises the jobs of the record to this priority, since they block the urgent one.
local function promote(location, record, priority)
  local active = redis.call('HGET', key.active(location), record)
  local ids = redis.call('LRANGE', key.blocked(location, record), 0, -1)
  ids[#ids + 1] = active
  for _, id in ipairs(ids) do
    local job = redis.call('HMGET', key.job(id), 'priority', 'seq')
    if (tonumber(job[1]) or 0) < priority then
      redis.call('HSET', key.job(id), 'priority', priority)
      if id == active and redis.call('ZSCORE', key.ready(location), id) then
        redis.call('ZADD', key.ready(location), rank(tonumber(job[2]), priority), id)
      end
    end
  end
end
