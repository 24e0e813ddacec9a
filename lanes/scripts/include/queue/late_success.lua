-- @include queue/count
-- @include queue/remove_pending
-- @include queue/stale
-- @include history/end_job
-- @include dead_letter/newest_delivered
-- @lazy dead_letter/remove
-- @lazy outcomes/outcome
-- @lazy quota/move_counted
-- deliver_late(job, detail, retention): the success of an attempt that is no longer that of a job in flight: the job
-- was reclaimed, or is over. It is delivered all the same, because the API has it. Returns false if it was before.
local function deliver_late(job, detail, retention)
  if job.state == 'delivered' then
    stale(job, 'delivered', detail)
    return false
  end
  if job.state == 'pending' then remove_pending(job.location, job.record, job.id) end
  end_attempt(job, 'delivered', detail)
  -- A newer attempt is still in flight, although its job is delivered: its end is the end of the job's keys.
  local redundant = job.state == 'in_flight' and redis.call('ZSCORE', key.leases, job.id)
  count(job.location, job.state, 'delivered')
  if job.fields.counted then move_counted().move_counted(job.fields.service, job.state) end
  add_duration(now - job.since)
  note_delivered(job)
  local fields = job.fields
  if job.done and redis.call('EXISTS', key.merged_jobs(job.id)) == 1 then fields.merged_count = '1' end
  if fields.service or fields.merged_count then outcome().write_outcome(job.id, fields, 'delivered', nil, detail) end
  if redundant then
    redis.call('HINCRBY', key.lane(job.location), 'redundant', 1)
    redis.call('HSET', key.job(job.id), 'state', 'delivered', 'ended_at', now, 'retention', retention)
    redis.call('DEL', key.body(job.id), key.original(job.id))
    if redis.call('HDEL', key.job(job.id), 'was_dead') == 1 then
      remove().remove_dead_letter(job.id, job.location, job.record)
    end
  else
    end_job(job.id, { state = 'delivered', ended_at = now, reason = false }, retention, job.done)
  end
  if job.leased then activate_next(job.location, job.record) end
  return true
end
