-- @include queue/enqueue_active
-- @include queue/schedule
-- activate_next(location, record): the head of the record is done with; the next job of the record, if any, becomes its head.
local function activate_next(location, record)
  local id = redis.call('LPOP', key.blocked(location, record))
  if not id then
    redis.call('HDEL', key.active(location), record)
    return
  end
  redis.call('HSET', key.active(location), record, id)
  local job = redis.call('HMGET', key.job(id), 'seq', 'not_before', 'priority')
  schedule(location, enqueue_active(location, id, tonumber(job[1]), tonumber(job[2]), tonumber(job[3])))
end
