-- @include rate_limit/budget
-- @include rate_limit/day
-- @include queue/schedule
-- @include queue/durations
-- recheck_rate_limit(lane): a report may end the wait for the rate limit early.
local function recheck_rate_limit(lane)
  if lane.rate_limited_until <= now then return end
  local until_at = burst_until(lane) or day_until(lane) or now
  if until_at < lane.rate_limited_until then
    redis.call('HSET', key.lane(lane.location), 'rate_limited_until', until_at)
    if redis.call('ZSCORE', key.due, lane.location) then schedule(lane.location, until_at) end
  end
end

-- end_attempt(job, outcome, detail): appends the attempt. `begin_report` has ended its lease. `detail` is JSON. A first
-- attempt that delivers the job is not appended, since `end_job` packs it at once: it is returned.
local function end_attempt(job, outcome, detail)
  local line = string.format('%s %s %s %.0f %s', job.attempt, outcome, job.released_at, now, detail)
  local only = outcome == 'delivered' and job.current and job.attempt == '1'
  if not only then redis.call('RPUSH', key.attempts(job.id), line) end
  add_duration(now - tonumber(job.released_at))
  recheck_rate_limit(job.lane)
  return only and { line } or nil
end
