-- retry: the attempt failed in a way that may pass; the job waits for its backoff and holds back its record only.
-- Moves: in flight -> pending (later)
-- ARGV:
--   1 id
--   2 attempt
--   3 detail      JSON of the attempt
--   4 window      us
--   5 delay       us of backoff
--   6.. as ARGV 1.. of release, or nothing
-- Returns: { 'retried' | 'stale' | 'unknown', what release returns behind its code }
-- @include now
-- @include fence
-- @include stale
-- @include reply
local job = fence(ARGV[1], ARGV[2], tonumber(ARGV[4]))
if not job then return reply('unknown', 6) end
if stale(job, 'retry', ARGV[3]) then return reply('stale', 6) end
end_attempt(job, 'retry', ARGV[3])
redis.call('HSET', key.job(job.id), 'state', 'pending')
redis.call('HINCRBY', key.job(job.id), 'failures', 1)
local expires_at = redis.call('HGET', key.job(job.id), 'expires_at')
if expires_at then redis.call('ZADD', key.expiring, expires_at, job.id) end
count(job.location, 'in_flight', 'pending')
count(job.location, nil, 'retried')
place(job.location, job.id, job.seq, now + tonumber(ARGV[5]))
return reply('retried', 6)
