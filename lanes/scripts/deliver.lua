-- deliver: the API took the job. A stale success counts too: the API has it.
-- Moves: in flight -> delivered; pending | in flight | dead | cancelled | expired -> delivered when the success is stale
-- ARGV:
--   1 id
--   2 attempt
--   3 detail      JSON of the attempt
--   4 window      us
--   5 retention   ms for which the job can still be read
--   6.. as ARGV 1.. of release, to take the next job in the same call, or nothing
-- Returns: { 'delivered' | 'stale' | 'unknown', what release returns behind its code }
-- @include now
-- @include fence
-- @include stale
-- @include reply
local job = fence(ARGV[1], ARGV[2], tonumber(ARGV[4]))
if not job then return reply('unknown', 6) end
if job.state == 'delivered' then
  stale(job, 'delivered', ARGV[3])
  return reply('stale', 6)
end
if job.state == 'pending' then withdraw(job.location, job.record, job.id) end
if job.state == 'dead' then redis.call('ZREM', key.dead, job.id) end
end_attempt(job, 'delivered', ARGV[3])
redis.call('HSET', key.job(job.id), 'state', 'delivered', 'ended_at', now)
redis.call('HDEL', key.job(job.id), 'reason')
count(job.location, job.state, 'delivered')
forget(job.id, ARGV[5])
if job.leased then advance(job.location, job.record) end
return reply('delivered', 6)
