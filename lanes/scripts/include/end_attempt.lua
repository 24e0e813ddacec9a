-- end_attempt(job, outcome, detail): writes the attempt down and ends its lease. `detail` is JSON. The slot that the
-- attempt gives back may let the lane go on earlier than was thought.
local function end_attempt(job, outcome, detail)
  redis.call('RPUSH', key.attempts(job.id),
    string.format('%s %s %s %.0f %s', job.attempt, outcome, job.released_at, now, detail))
  if job.leased then redis.call('ZREM', key.leases, job.id) end
  local blocked = redis.call('HGET', key.lane(job.location), 'blocked_until')
  if blocked and tonumber(blocked) > now and redis.call('ZSCORE', key.due, job.location) then
    local first = redis.call('ZRANGE', key.slots(job.location), 0, 0, 'WITHSCORES')
    if tonumber(first[2]) < tonumber(blocked) then
      redis.call('HSET', key.lane(job.location), 'blocked_until', first[2])
      schedule(job.location, tonumber(first[2]))
    end
  end
end
