-- @include queue/count
-- @include queue/remove_pending
-- @include queue/stale
-- deliver_late(job, detail): the success of an attempt that is no longer that of a job in flight: it was reclaimed, or its
-- job is over. Ends the attempt and counts the job as delivered; returns false when it was delivered before.
local function deliver_late(job, detail)
  if job.state == 'delivered' then
    stale(job, 'delivered', detail)
    return false
  end
  if job.state == 'pending' then remove_pending(job.location, job.record, job.id) end
  end_attempt(job, 'delivered', detail)
  -- A newer attempt is still in flight, although its job is delivered.
  if job.state == 'in_flight' and not job.leased and redis.call('ZSCORE', key.leases, job.id) then
    redis.call('HINCRBY', key.lane(job.location), 'redundant', 1)
  end
  count(job.location, job.state, 'delivered')
  return true
end
