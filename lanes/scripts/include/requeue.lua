-- @include end_attempt
-- @include put_back
-- requeue(job, detail, sent): the job goes back to its place and out again, with no attempt spent. Where no request was made
-- (`sent` is false), its slot is free at once, and no attempt is written down.
local function requeue(job, detail, sent)
  if sent then
    end_attempt(job, 'again', detail)
  else
    redis.call('ZREM', key.slots(job.location), job.id .. ':' .. job.attempt)
    redis.call('ZREM', key.sent(job.location), job.number)
    look_again(job.lane)
  end
  put_back(job)
end
