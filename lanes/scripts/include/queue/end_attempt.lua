-- @lazy rate_limit/recheck
-- @include queue/durations
-- end_attempt(job, outcome, detail): appends the attempt. `begin_report` has ended its lease. `detail` is JSON. A
-- success of the current attempt is not appended, since `store_done` packs it at once.
local function end_attempt(job, outcome, detail)
  if not (job.current and outcome == 'delivered') then
    redis.call('RPUSH', key.attempts(job.id), string.format('%s %s %s %.0f %s', job.attempt, outcome, job.released_at, now, detail))
  end
  add_duration(now - tonumber(job.released_at))
  if job.lane.rate_limited_until > now then recheck().recheck_rate_limit(job.lane) end
end
