-- purge: a person gives a dead letter up.
-- Moves: dead -> cancelled
-- ARGV:
--   1 id
--   2 retention   ms for which the job, without its body, can still be read
-- Returns: 'purged', or why not: 'unknown', or the state that the job is in
-- @include now
-- @include count
-- @include forget
local job = redis.call('HMGET', key.job(ARGV[1]), 'state', 'location', 'carries')
if not job[1] then return 'unknown' end
if job[1] ~= 'dead' then return job[1] end
redis.call('ZREM', key.dead, ARGV[1])
redis.call('HSET', key.job(ARGV[1]), 'state', 'cancelled', 'ended_at', now, 'reason', 'purged')
count(job[2], 'dead', 'cancelled')
forget(ARGV[1], ARGV[2], job[3])
return 'purged'
