-- summarize: dead letters in short, without their bodies, and with their last attempts only. Changes nothing.
-- ARGV: ids of jobs
-- Returns: { state, location, reason, ended_at, service, edited_at or nil, number of attempts, last attempt or nil } a job; a
--   state of nil for one that is not there
local found = {}
for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'reason', 'ended_at', 'service', 'edited_at')
  job[7] = redis.call('LLEN', key.attempts(id))
  job[8] = redis.call('LINDEX', key.attempts(id), -1)
  found[#found + 1] = job
end
return found
