-- @include end_attempt
-- @include place
-- requeue(job, detail, sent): the job goes back to its place and out again, with no attempt spent. Where no request was made
-- (`sent` is false), its slot is free at once, and no attempt is written down.
local function requeue(job, detail, sent)
  if sent then
    end_attempt(job, 'again', detail)
  else
    redis.call('ZREM', key.slots(job.location), job.id .. ':' .. job.attempt)
    redis.call('ZREM', key.sent(job.location), job.number)
  end
  redis.call('HSET', key.job(job.id), 'state', 'pending')
  local expires_at = redis.call('HGET', key.job(job.id), 'expires_at')
  if expires_at then redis.call('ZADD', key.expiring, expires_at, job.id) end
  count(job.location, 'in_flight', 'pending')
  schedule(job.location, place(job.location, job.id, job.seq, nil, job.priority))
end
