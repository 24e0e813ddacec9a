-- @include queue/is_blocked
-- infer_state(id, job): infers the state of a job with a hash from its other keys. The body is deleted in the step that
-- ends a job. So a job with a body is not done, and is kept, whatever its hash says.
local function infer_state(id, job)
  local location, record = job.location, job.record
  local waits = redis.call('ZSCORE', key.ready(location), id) or redis.call('ZSCORE', key.delayed(location), id)
    or is_blocked(location, record, id, job.seq)
  local leased, dead = redis.call('ZSCORE', key.leases, id), redis.call('ZSCORE', key.dead, id)
  local body = redis.call('EXISTS', key.body(id)) == 1
  local dead_letter = job.reason == 'expired' and 'expired' or 'dead'
  local shown = { pending = waits, in_flight = leased, dead = dead, expired = dead }
  if shown[job.state] then return job.state end
  if waits then return 'pending' end
  if leased and (body or job.state ~= 'delivered') then return 'in_flight' end
  if dead then return dead_letter end
  if job.state == 'in_flight' or job.state == 'dead' or job.state == 'expired' then return job.state end
  if not body and (job.state == 'delivered' or job.state == 'cancelled' or job.state == 'merged') then return job.state end
  return 'pending'
end
