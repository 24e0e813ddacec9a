-- bury: the job will not be sent again unless a person replays it. With a reason to hold, its lane stops behind it.
-- Moves: in flight -> dead
-- ARGV:
--   1 id
--   2 attempt
--   3 detail      JSON of the attempt
--   4 window      us
--   5 reason      refused | exhausted | unauthorized
--   6 hold        why the lane is held from now on, or ''
--   7.. as ARGV 1.. of release, or nothing
-- Returns: { 'buried' | 'stale' | 'unknown', what release returns behind its code }
-- @include now
-- @include fence
-- @include stale
-- @include kill_job
-- @include hold_lane
-- @include reply
local job = fence(ARGV[1], ARGV[2], tonumber(ARGV[4]))
if not job then return reply('unknown', 7) end
if stale(job, ARGV[5], ARGV[3]) then return reply('stale', 7) end
if ARGV[6] ~= '' then hold_lane(job.location, ARGV[6], 'authorization') end
end_attempt(job, ARGV[5], ARGV[3])
kill_job(job.id, job.location, 'in_flight', ARGV[5])
advance(job.location, job.record)
return reply('buried', 7)
