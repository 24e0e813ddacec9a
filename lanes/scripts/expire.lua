-- expire: pending jobs past their expiry leave their lanes unsent and are kept with the dead letters. A job that was
-- held expires later; it may still be held, so it is checked again after a while, and by each release.
-- Moves: pending -> expired
-- ARGV:
--   1 max_count   jobs in one call
-- Returns: ids of the jobs
-- @include now
-- @include queue/expire_job
-- @include queue/expiry
-- @include queue/isolate
-- @include queue/set_aside
local AGAIN = 60 * 1000000
local expired = {}

local function expire(id)
  local job = redis.call('HMGET', key.job(id), 'location', 'record', 'expires_at')
  local at = tonumber(job[3]) and job[1] and expiry(id, job[1], job[3])
  if not at then
    -- Not written by these scripts. It must not block the others.
    redis.call('ZREM', key.expiring, id)
  elseif at > now then
    redis.call('ZADD', key.expiring, math.max(at, now + AGAIN), id)
  else
    expire_job(id, job[1], job[2])
    expired[#expired + 1] = id
  end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.expiring, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local readable, broken = isolate(nil, id, expire, id)
  if not readable then
    redis.call('ZREM', key.expiring, id)
    report_broken(nil, id, broken)
  end
end
return expired
