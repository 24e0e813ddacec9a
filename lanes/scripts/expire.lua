-- expire: pending jobs whose time is over leave their lanes unsent, and are kept with the dead letters. The time of one that
-- was held is moved on, and looked at again no sooner than in a while, since it may be held still; a release looks for itself.
-- Moves: pending -> expired
-- ARGV:
--   1 most   jobs in one call
-- Returns: ids of the jobs
-- @include now
-- @include queue/expire_job
-- @include queue/expiry
local AGAIN = 60 * 1000000
local expired = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.expiring, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local job = redis.call('HMGET', key.job(id), 'location', 'record', 'expires_at')
  local at = job[3] and expiry(id, job[1], job[3])
  if not at then
    -- Something else than these scripts has been at work; it must not stand in the way of the others.
    redis.call('ZREM', key.expiring, id)
  elseif at > now then
    redis.call('ZADD', key.expiring, math.max(at, now + AGAIN), id)
  else
    expire_job(id, job[1], job[2])
    expired[#expired + 1] = id
  end
end
return expired
