-- cancel: the service takes back a job that is not on its way yet.
-- Moves: pending -> cancelled
-- ARGV:
--   1 id
--   2 retention   ms for which the job can still be read
-- Returns: 'cancelled', or why not: 'unknown', 'carries' when other jobs were merged into it, or the state that it is in
-- @include now
-- @include count
-- @include withdraw
-- @include forget
-- @include untell
local job = redis.call('HMGET', key.job(ARGV[1]), 'state', 'location', 'record', 'carries', 'died', 'event_time')
if not job[1] then return 'unknown' end
if job[1] ~= 'pending' then return job[1] end
if job[4] then return 'carries' end
withdraw(job[2], job[3], ARGV[1])
redis.call('HSET', key.job(ARGV[1]), 'state', 'cancelled', 'ended_at', now)
count(job[2], 'pending', 'cancelled')
if job[6] then untell(job[2], job[3], job[6]) end
forget(ARGV[1], ARGV[2], { location = job[2], record = job[3], died = job[5] })
return 'cancelled'
