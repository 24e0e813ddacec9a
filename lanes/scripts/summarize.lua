-- summarize: dead letters without their bodies, and with their last attempts only. Read-only.
-- ARGV: ids of jobs
-- Returns: { state (nil if unknown), location, reason, ended_at, service, edited_at, number of attempts, last attempt }
-- @include read_only
local found = {}
for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'reason', 'ended_at', 'service', 'edited_at')
  job[7] = redis.call('LLEN', key.attempts(id))
  job[8] = redis.call('LINDEX', key.attempts(id), -1)
  found[#found + 1] = job
end
return answer(found)
