-- @include queue/is_blocked
-- infer_state(id, job): what became of a job, by all that there is of it. A body goes in the same step in which a job is done with,
-- and then what is left gets a time to live: so a job with a body is not done, whatever stands in its hash, and is kept.
local function infer_state(id, job)
  local location, record = job.location, job.record
  local waits = redis.call('ZSCORE', key.ready(location), id) or redis.call('ZSCORE', key.delayed(location), id)
    or is_blocked(location, record, id, job.seq)
  local leased, dead = redis.call('ZSCORE', key.leases, id), redis.call('ZSCORE', key.dead, id)
  local body, forgotten = redis.call('EXISTS', key.body(id)) == 1, redis.call('PTTL', key.job(id)) > 0
  local dead_letter = job.reason == 'expired' and 'expired' or 'dead'
  if not body and (forgotten or job.merged_into) then
    if job.state == 'delivered' or job.state == 'cancelled' or job.state == 'merged' then return job.state end
    if job.merged_into then return 'merged' end
    local last = redis.call('LINDEX', key.attempts(id), -1) or ''
    return string.find(last, '^%d+ delivered ') and 'delivered' or 'cancelled'
  end
  local shown = { pending = waits, in_flight = leased, dead = dead, expired = dead }
  if shown[job.state] then return job.state end
  if waits then return 'pending' end
  if leased and (body or job.state ~= 'delivered') then return 'in_flight' end
  if dead then return dead_letter end
  if job.state == 'in_flight' or job.state == 'dead' or job.state == 'expired' then return job.state end
  if not body and (job.state == 'delivered' or job.state == 'cancelled' or job.state == 'merged') then return job.state end
  return 'pending'
end
