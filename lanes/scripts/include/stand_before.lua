-- @include place
-- @include promote
-- stand_before(location, record, other, id, priority): the job joins its lane right before another that waits for its turn, and
-- takes that one's place in the lane. Returns the time from which it may be sent, if it is the head of its record.
local function stand_before(location, record, other, id, priority)
  local place_of = redis.call('HMGET', key.job(other), 'seq', 'priority')
  local urgency = math.max(priority, tonumber(place_of[2]) or 0)
  redis.call('HSET', key.job(id), 'seq', place_of[1])
  if urgency > 0 then redis.call('HSET', key.job(id), 'priority', urgency) end
  if redis.call('HGET', key.heads(location), record) == other then
    local at = redis.call('ZSCORE', key.later(location), other)
    if at then redis.call('HSET', key.job(other), 'not_before', at) end
    redis.call('ZREM', key.ready(location), other)
    redis.call('ZREM', key.later(location), other)
    redis.call('LPUSH', key.behind(location, record), other)
    redis.call('HSET', key.heads(location), record, id)
    return place(location, id, tonumber(place_of[1]), nil, urgency)
  end
  redis.call('LINSERT', key.behind(location, record), 'BEFORE', other, id)
  if urgency > 0 then promote(location, record, urgency) end
  return nil
end
