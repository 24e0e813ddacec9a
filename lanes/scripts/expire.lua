-- expire: pending jobs whose time is over leave their lanes unsent.
-- Moves: pending -> expired
-- ARGV:
--   1 most        jobs in one call
--   2 retention   ms for which an expired job can still be read
-- Returns: { id, location, ... } two values a job
-- @include now
-- @include expire_job
local expired = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.expiring, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local job = redis.call('HMGET', key.job(id), 'location', 'record', 'carries')
  expire_job(id, job[1], job[2], ARGV[2], job[3])
  table.insert(expired, id)
  table.insert(expired, job[1])
end
return expired
