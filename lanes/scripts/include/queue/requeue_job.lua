-- @include queue/end_attempt
-- @include queue/make_pending
-- requeue_job(job, detail, sent): the job goes back to its place and out again, with no attempt spent. Where no request was made
-- (`sent` is false), its slot is free at once, and no attempt is written down.
local function requeue_job(job, detail, sent)
  if sent then
    end_attempt(job, 'requeued', detail)
  else
    redis.call('ZREM', key.rate_slots(job.location), job.id .. ':' .. job.attempt)
    redis.call('ZREM', key.sent(job.location), job.number)
    recheck_rate_limit(job.lane)
  end
  make_pending(job)
end
