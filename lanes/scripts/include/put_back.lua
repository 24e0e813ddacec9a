-- @include count
-- @include place
-- @include schedule
-- put_back(job): a job that was in flight waits at its place again, as if it had not been sent.
local function put_back(job)
  redis.call('HSET', key.job(job.id), 'state', 'pending')
  local expires_at = redis.call('HGET', key.job(job.id), 'expires_at')
  if expires_at then redis.call('ZADD', key.expiring, expires_at, job.id) end
  count(job.location, 'in_flight', 'pending')
  schedule(job.location, place(job.location, job.id, job.seq, nil, job.priority))
end
