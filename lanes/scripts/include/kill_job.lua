-- @include count
-- @include mourn
-- kill_job(id, location, record, from, reason): the job is not sent again; body and attempts stay until a person decides.
local function kill_job(id, location, record, from, reason)
  local state = reason == 'expired' and 'expired' or 'dead'
  redis.call('HSET', key.job(id), 'state', state, 'ended_at', now, 'reason', reason)
  mourn(id, location, record)
  count(location, from, state)
end
