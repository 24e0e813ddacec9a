-- purge: a person gives up a dead letter or expired job.
-- Moves: dead | expired -> cancelled
-- ARGV:
--   1 id
--   2 retention   ms for which the job, without its body, can still be read
--   3 seen        time in us of the last failure or edit that was seen: a job that changed since is kept; or ''
-- Returns: 'purged', 'unknown', 'changed', or the state that the job is in
-- @include now
-- @include queue/count
-- @include history/end_job
-- @include history/read_done
-- @lazy outcomes/outcome
-- @lazy quota/move_counted
local job = redis.call('HMGET', key.job(ARGV[1]), 'state', 'location', 'ended_at', 'edited_at', 'counted', 'service',
  'merged_count')
if not job[1] then return done_state(ARGV[1]) or 'unknown' end
if job[1] ~= 'dead' and job[1] ~= 'expired' then return job[1] end
local changed_at = math.max(tonumber(job[3]), tonumber(job[4]) or 0)
if ARGV[3] ~= '' and tonumber(ARGV[3]) ~= changed_at then return 'changed' end
-- A full Redis allows ZREM, and then all later writes: a purge frees memory.
redis.call('ZREM', key.dead, ARGV[1])
count(job[2], job[1], 'cancelled')
if job[6] or job[7] then outcome().write_ended(ARGV[1], 'cancelled', 'purged') end
if job[5] then move_counted().move_counted(job[6], job[1]) end
end_job(ARGV[1], { state = 'cancelled', ended_at = now, reason = 'purged' }, ARGV[2])
return 'purged'
