-- purge: a person gives up a dead letter or expired job.
-- Moves: dead | expired -> cancelled
-- ARGV:
--   1 id
--   2 retention   ms for which the job, without its body, can still be read
--   3 seen        time in us of the last failure or edit that was seen: a job that changed since is kept; or ''
-- Returns: 'purged', 'unknown', 'changed', or the state that the job is in
-- @include now
-- @include queue/count
-- @include queue/expire_keys
local job = redis.call('HMGET', key.job(ARGV[1]), 'state', 'location', 'record', 'merged_count', 'was_dead', 'ended_at', 'edited_at')
if not job[1] then return 'unknown' end
if job[1] ~= 'dead' and job[1] ~= 'expired' then return job[1] end
local changed_at = math.max(tonumber(job[6]), tonumber(job[7]) or 0)
if ARGV[3] ~= '' and tonumber(ARGV[3]) ~= changed_at then return 'changed' end
-- A full Redis allows ZREM, and then all later writes: a purge frees memory.
redis.call('ZREM', key.dead, ARGV[1])
redis.call('HSET', key.job(ARGV[1]), 'state', 'cancelled', 'ended_at', now, 'reason', 'purged')
count(job[2], job[1], 'cancelled')
expire_keys(ARGV[1], ARGV[2], { location = job[2], record = job[3], merged_count = job[4], was_dead = job[5] })
return 'purged'
