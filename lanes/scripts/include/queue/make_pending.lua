-- @include queue/count
-- @include queue/enqueue_active
-- @include queue/schedule
-- make_pending(job, at): a job in flight becomes pending at its old position; with `at`, delayed until then.
local function make_pending(job, at)
  redis.call('HSET', key.job(job.id), 'state', 'pending')
  local expires_at = redis.call('HGET', key.job(job.id), 'expires_at')
  if expires_at then redis.call('ZADD', key.expiring, expires_at, job.id) end
  count(job.location, 'in_flight', 'pending')
  schedule(job.location, enqueue_active(job.location, job.id, job.seq, at, job.priority))
end
