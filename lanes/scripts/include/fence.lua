-- fence(id, attempt, window): what the report of an attempt may still change. The request of the attempt has been
-- answered or given up: its slot is free one window (microseconds) from now. Returns nil for an unknown job, else
--   state, location, record, released_at  of the job
--   current  the job is in flight under this attempt
--   leased   this attempt holds the record, although a stale success may have delivered the job meanwhile
local function fence(id, attempt, window)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'released_at', 'attempt', 'seq')
  if not job[1] then return nil end
  redis.call('ZADD', key.slots(job[2]), now + window, id .. ':' .. attempt)
  local newest = job[5] == attempt
  local leased = newest and redis.call('ZSCORE', key.leases, id) ~= false
  return { id = id, attempt = attempt, state = job[1], location = job[2], record = job[3], released_at = job[4] or '0',
           seq = tonumber(job[6]), leased = leased, current = leased and job[1] == 'in_flight' }
end
