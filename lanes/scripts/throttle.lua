-- throttle: the API answered 429. The whole lane waits; the job goes back to pending, and no attempt is spent.
-- Moves: in flight -> pending (ready)
-- ARGV:
--   1 to 7 as deliver has them
--   8 wait        us for which the lane releases nothing
--   9.. as ARGV 1 to 3 and 7 of release, or nothing
-- Returns: { 'throttled' | 'stale' | 'unknown', with durations; what release returns after its code }
-- @include now
-- @include queue/begin_report
-- @include queue/stale
-- @lazy breaker/breaker
-- @include queue/make_pending
-- @include queue/release_next
local job = begin_report(ARGV[1], ARGV[2], ARGV[7], true)
if not job then return reply('unknown', 9) end
local lane = job.lane
set(lane, 'throttled_until', math.max(lane.throttled_until, now + tonumber(ARGV[8])))
write_lane(lane)
if lane.gap or lane.brake_at or job.probe then breaker().api_answered(job) end
count(job.location, nil, 'throttled')
if stale(job, 'throttled', ARGV[3]) then return reply('stale', 9) end
end_attempt(job, 'throttled', ARGV[3])
make_pending(job)
return reply('throttled', 9)
