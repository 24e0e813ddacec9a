-- reject_rows: keeps the refused rows of an enqueue task, and counts them by service.
-- ARGV:
--   1 task
--   2 rows        rows of the task
--   3 accepted    rows that were enqueued
--   4 refused     JSON: the refused rows, without values
--   5 retention   ms for which they can be read
--   6 max_services   services with a count of their own
--   7... pairs: service, refused rows
-- Returns: 'counted', or 'known' when the task was counted before: its message was delivered twice
-- @include now
local kept = key.rejected_task(ARGV[1])
if redis.call('EXISTS', kept) == 1 then return 'known' end
redis.call('HSET', kept, 'at', now, 'rows', ARGV[2], 'accepted', ARGV[3], 'refused', ARGV[4])
redis.call('PEXPIRE', kept, ARGV[5])
-- A broken counter hides no refusal.
for i = 7, #ARGV, 2 do
  local service = ARGV[i]
  local new = redis.pcall('HEXISTS', key.rejected_rows, service) == 0
  if new and redis.call('HLEN', key.rejected_rows) >= tonumber(ARGV[6]) then service = 'other' end
  redis.pcall('HINCRBY', key.rejected_rows, service, ARGV[i + 1])
end
return 'counted'
