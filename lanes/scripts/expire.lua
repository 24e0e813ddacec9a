-- expire: pending jobs whose time is over leave their lanes unsent, and are kept with the dead letters.
-- Moves: pending -> expired
-- ARGV:
--   1 most   jobs in one call
-- Returns: { id, location, ... } two values a job
-- @include now
-- @include expire_job
local expired = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.expiring, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local job = redis.call('HMGET', key.job(id), 'location', 'record')
  expire_job(id, job[1], job[2])
  table.insert(expired, id)
  table.insert(expired, job[1])
end
return expired
