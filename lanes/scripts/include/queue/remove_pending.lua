-- @include queue/activate_next
local function remove_pending(location, record, id)
  redis.call('ZREM', key.expiring, id)
  if redis.call('HGET', key.active(location), record) == id then
    redis.call('ZREM', key.ready(location), id)
    redis.call('ZREM', key.delayed(location), id)
    activate_next(location, record)
  else
    redis.call('LREM', key.blocked(location, record), 1, id)
  end
end
