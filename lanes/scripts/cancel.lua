-- cancel: cancels a pending job.
-- Moves: pending -> cancelled
-- ARGV:
--   1 id
--   2 retention   ms for which the job can still be read
-- Returns: 'cancelled', 'unknown', 'has_merged_jobs' when other jobs were merged into it, or the state it is in
-- @include now
-- @include queue/count
-- @include queue/remove_pending
-- @include history/end_job
-- @include history/read_done
-- @include history/forget_event
-- @lazy outcomes/outcome
-- @lazy quota/move_counted
local job = redis.call('HMGET', key.job(ARGV[1]), 'state', 'location', 'record', 'merged_count', 'event_time', 'counted',
  'service')
if not job[1] then return done_state(ARGV[1]) or 'unknown' end
if job[1] ~= 'pending' then return job[1] end
if job[4] then return 'has_merged_jobs' end
remove_pending(job[2], job[3], ARGV[1])
count(job[2], 'pending', 'cancelled')
if job[6] then move_counted().move_counted(job[7], 'pending') end
if job[5] then forget_event(job[2], job[3], job[5]) end
if job[7] then outcome().write_ended(ARGV[1], 'cancelled') end
end_job(ARGV[1], { state = 'cancelled', ended_at = now }, ARGV[2])
return 'cancelled'
