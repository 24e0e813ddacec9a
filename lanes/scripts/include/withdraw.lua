-- @include advance
-- withdraw(location, record, id): a pending job leaves its lane, wherever in it it waits.
local function withdraw(location, record, id)
  redis.call('ZREM', key.expiring, id)
  if redis.call('HGET', key.heads(location), record) == id then
    redis.call('ZREM', key.ready(location), id)
    redis.call('ZREM', key.later(location), id)
    advance(location, record)
  else
    redis.call('LREM', key.behind(location, record), 1, id)
  end
end
