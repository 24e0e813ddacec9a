-- @include count
-- @include withdraw
-- @include forget
-- expire_job(id, location, record, retention, carries): a pending job whose time is over leaves its lane unsent.
local function expire_job(id, location, record, retention, carries)
  withdraw(location, record, id)
  redis.call('HSET', key.job(id), 'state', 'expired', 'ended_at', now)
  count(location, 'pending', 'expired')
  forget(id, retention, carries)
end
