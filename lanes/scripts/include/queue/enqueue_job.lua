-- @include queue/enqueue_active
-- @lazy queue/promote
-- enqueue_job(location, record, id, seq, at, priority): adds the job to its lane: active (returns the time from which
-- it may be sent), or blocked by the other jobs of its record.
local function enqueue_job(location, record, id, seq, at, priority)
  if redis.call('HSETNX', key.active(location), record, id) == 1 then return enqueue_active(location, id, seq, at, priority) end
  redis.call('RPUSH', key.blocked(location, record), id)
  if priority > 0 then promote().promote(location, record, priority) end
  return nil
end
