-- @include budget
-- @include day
-- @include schedule
-- @include series
-- look_again(lane): what a report gave back or told may let the lane go on earlier than was thought.
local function look_again(lane)
  if lane.blocked_until <= now then return end
  local until_at = burst_until(lane) or day_until(lane) or now
  if until_at < lane.blocked_until then
    redis.call('HSET', key.lane(lane.location), 'blocked_until', until_at)
    if redis.call('ZSCORE', key.due, lane.location) then schedule(lane.location, until_at) end
  end
end

-- end_attempt(job, outcome, detail): writes the attempt down, whose lease `fence` has ended. `detail` is JSON.
local function end_attempt(job, outcome, detail)
  redis.call('RPUSH', key.attempts(job.id),
    string.format('%s %s %s %.0f %s', job.attempt, outcome, job.released_at, now, detail))
  log_time('a', now - tonumber(job.released_at))
  look_again(job.lane)
end
