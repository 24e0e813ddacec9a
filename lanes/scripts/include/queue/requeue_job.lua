-- @include queue/end_attempt
-- @include queue/make_pending
-- requeue_job(job, detail, sent): the job becomes pending, with no attempt spent. If no request was made, its rate slot
-- is free at once and no attempt is appended.
local function requeue_job(job, detail, sent)
  if sent then
    end_attempt(job, 'requeued', detail)
  else
    redis.call('ZREM', key.rate_slots(job.location), job.id .. ':' .. job.attempt)
    redis.call('ZREM', key.sent(job.location), job.number)
    if job.lane.rate_limited_until > now then recheck().recheck_rate_limit(job.lane) end
  end
  make_pending(job)
end
