-- @include queue/enqueue_active
-- @include queue/schedule
-- activate_blocked(location, record, id): a blocked job becomes the active job of its record.
local function activate_blocked(location, record, id)
  redis.call('HSET', key.active(location), record, id)
  local job = redis.call('HMGET', key.job(id), 'seq', 'not_before', 'priority')
  schedule(location, enqueue_active(location, id, tonumber(job[1]), tonumber(job[2]), tonumber(job[3])))
end
