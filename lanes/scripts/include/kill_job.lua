-- @include count
-- kill_job(id, location, from, reason): the job becomes a dead letter; body and attempts stay until a person decides.
local function kill_job(id, location, from, reason)
  redis.call('HSET', key.job(id), 'state', 'dead', 'ended_at', now, 'reason', reason)
  redis.call('ZADD', key.dead, now, id)
  count(location, from, 'dead')
end
