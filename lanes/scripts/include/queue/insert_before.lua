-- @include queue/enqueue_active
-- @include queue/promote
-- insert_before(location, record, other, id, priority): adds the job directly before a pending job of its record, with
-- the same seq. Returns the time from which it may be sent if it becomes active.
local function insert_before(location, record, other, id, priority)
  local position = redis.call('HMGET', key.job(other), 'seq', 'priority')
  local urgency = math.max(priority, tonumber(position[2]) or 0)
  redis.call('HSET', key.job(id), 'seq', position[1])
  if urgency > 0 then redis.call('HSET', key.job(id), 'priority', urgency) end
  if redis.call('HGET', key.active(location), record) == other then
    local at = redis.call('ZSCORE', key.delayed(location), other)
    if at then redis.call('HSET', key.job(other), 'not_before', at) end
    redis.call('ZREM', key.ready(location), other)
    redis.call('ZREM', key.delayed(location), other)
    redis.call('LPUSH', key.blocked(location, record), other)
    redis.call('HSET', key.active(location), record, id)
    return enqueue_active(location, id, tonumber(position[1]), nil, urgency)
  end
  redis.call('LINSERT', key.blocked(location, record), 'BEFORE', other, id)
  if urgency > 0 then promote(location, record, urgency) end
  return nil
end
