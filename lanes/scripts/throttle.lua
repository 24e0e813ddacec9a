-- throttle: the API said 429. The whole lane waits; the job goes back to its place, and no attempt is spent.
-- Moves: in flight -> pending (ready)
-- ARGV:
--   1 id
--   2 attempt
--   3 detail      JSON of the attempt
--   4 window      us
--   5 wait        us for which the lane releases nothing
--   6.. as ARGV 1.. of release, or nothing
-- Returns: { 'throttled' | 'stale' | 'unknown', what release returns behind its code }
-- @include now
-- @include fence
-- @include stale
-- @include reply
local job = fence(ARGV[1], ARGV[2], tonumber(ARGV[4]))
if not job then return reply('unknown', 6) end
local paused_until = tonumber(redis.call('HGET', key.lane(job.location), 'paused_until')) or 0
redis.call('HSET', key.lane(job.location), 'paused_until', math.max(paused_until, now + tonumber(ARGV[5])))
count(job.location, nil, 'throttled')
if stale(job, 'throttled', ARGV[3]) then return reply('stale', 6) end
end_attempt(job, 'throttled', ARGV[3])
redis.call('HSET', key.job(job.id), 'state', 'pending')
local expires_at = redis.call('HGET', key.job(job.id), 'expires_at')
if expires_at then redis.call('ZADD', key.expiring, expires_at, job.id) end
count(job.location, 'in_flight', 'pending')
place(job.location, job.id, job.seq, nil)
return reply('throttled', 6)
