-- retry: the attempt failed in a way that may pass; the job waits for its backoff and holds back its record only.
-- Moves: in flight -> pending (later)
-- ARGV:
--   1 id
--   2 attempt
--   3 detail      JSON of the attempt
--   4 burst       requests of a location in a window
--   5 window      us
--   6 daily       requests of a location in a day
--   7 told        what the answer told of the budgets, as learn reads it, or ''
--   8 delay       us of backoff
--   9.. as ARGV 1 to 3 of release, or nothing
-- Returns: { 'retried' | 'stale' | 'unknown', what release returns behind its code }
-- @include now
-- @include fence
-- @include stale
-- @include reply
local job = fence(ARGV[1], ARGV[2], ARGV[7])
if not job then return reply('unknown', 9) end
if stale(job, 'retry', ARGV[3]) then return reply('stale', 9) end
end_attempt(job, 'retry', ARGV[3])
redis.call('HSET', key.job(job.id), 'state', 'pending')
redis.call('HINCRBY', key.job(job.id), 'failures', 1)
local expires_at = redis.call('HGET', key.job(job.id), 'expires_at')
if expires_at then redis.call('ZADD', key.expiring, expires_at, job.id) end
count(job.location, 'in_flight', 'pending')
count(job.location, nil, 'retried')
schedule(job.location, place(job.location, job.id, job.seq, now + tonumber(ARGV[8]), job.priority))
return reply('retried', 9)
