-- @include queue/enqueue_active
-- @include queue/schedule
-- activate_next(location, record): the active job of the record is done. The next blocked job becomes active.
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
