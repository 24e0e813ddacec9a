-- @include place
-- @include schedule
-- advance(location, record): the head of the record is done with; the next job of the record, if any, becomes its head.
local function advance(location, record)
  local id = redis.call('LPOP', key.behind(location, record))
  if not id then
    redis.call('HDEL', key.heads(location), record)
    return
  end
  redis.call('HSET', key.heads(location), record, id)
  local job = redis.call('HMGET', key.job(id), 'seq', 'not_before', 'priority')
  schedule(location, place(location, id, tonumber(job[1]), tonumber(job[2]), tonumber(job[3])))
end
