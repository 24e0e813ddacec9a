-- requeue: the job goes back to pending with no attempt spent: its location's token is missing or was just renewed, or
-- the worker has a problem of its own. With a wait, the whole lane waits.
-- Moves: in flight -> pending (ready)
-- ARGV:
--   1 to 7 as deliver has them
--   8 wait        us for which the lane releases nothing
--   9 sent        '1' when a request was made; else rate slot and daily quota are refunded, and no attempt is appended
--   10.. as ARGV 1 to 3 and 7 of release, or nothing
-- Returns: { 'requeued' | 'stale' | 'unknown', with durations; what release returns after its code }
-- @include now
-- @include queue/begin_report
-- @include queue/stale
-- @include breaker/breaker
-- @include queue/requeue_job
-- @include queue/release_next
local job = begin_report(ARGV[1], ARGV[2], ARGV[7], false, ARGV[9] ~= '1')
if not job then return reply('unknown', 10) end
write_lane(job.lane)
api_refused(job, ARGV[7])
if stale(job, 'requeued', ARGV[3]) then return reply('stale', 10) end
local backoff_until = tonumber(redis.call('HGET', key.lane(job.location), 'backoff_until')) or 0
redis.call('HSET', key.lane(job.location), 'backoff_until', math.max(backoff_until, now + tonumber(ARGV[8])))
requeue_job(job, ARGV[3], ARGV[9] == '1')
return reply('requeued', 10)
