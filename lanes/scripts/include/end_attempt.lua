-- @include budget
-- @include schedule
-- @include series
-- end_attempt(job, outcome, detail): writes the attempt down, whose lease `fence` has ended. `detail` is JSON. The slot that the
-- attempt gives back may let the lane go on earlier than was thought.
local function end_attempt(job, outcome, detail)
  redis.call('RPUSH', key.attempts(job.id),
    string.format('%s %s %s %.0f %s', job.attempt, outcome, job.released_at, now, detail))
  log_time('a', now - tonumber(job.released_at))
  if job.lane.blocked_until > now then
    local until_at = burst_until(job.lane) or now
    if until_at < job.lane.blocked_until then
      redis.call('HSET', key.lane(job.location), 'blocked_until', until_at)
      if redis.call('ZSCORE', key.due, job.location) then schedule(job.location, until_at) end
    end
  end
end
