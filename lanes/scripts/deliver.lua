-- deliver: the API took the job. A stale success counts too, because the API has the job. Ends the brake of the lane.
-- Moves: in flight -> delivered; pending | in flight | dead | cancelled | expired -> delivered when stale
-- ARGV:
--   1 id
--   2 attempt
--   3 detail      JSON of the attempt
--   4 burst       requests of a location in a window
--   5 window      us
--   6 daily       requests of a location in a day
--   7 rate_limit_info   from the answer, as sync_rate_limits reads it, or '' without an answer
--   8 retention   ms for which the job can still be read
--   9.. as ARGV 1 to 3 of release, to release the next job in the same call, or nothing
-- Returns: { 'delivered' | 'stale' | 'unknown', with durations; what release returns after its code }
-- @include now
-- @include queue/begin_report
-- @include history/end_job
-- @include dead_letter/newest_delivered
-- @include queue/stale
-- @include breaker/breaker
-- @include queue/release_next
local job = begin_report(ARGV[1], ARGV[2], ARGV[7])
if not job then return reply('unknown', 9) end
api_answered(job)
api_delivered(job)
if job.state == 'delivered' then
  stale(job, 'delivered', ARGV[3])
  return reply('stale', 9)
end
if job.state == 'pending' then remove_pending(job.location, job.record, job.id) end
local attempts = end_attempt(job, 'delivered', ARGV[3])
-- A newer attempt is still in flight, although its job is delivered: its end is the end of the job's keys.
local redundant = job.state == 'in_flight' and not job.leased and redis.call('ZSCORE', key.leases, job.id)
count(job.location, job.state, 'delivered')
add_duration(now - job.since)
note_delivered(job)
if redundant then
  redis.call('HINCRBY', key.lane(job.location), 'redundant', 1)
  redis.call('HSET', key.job(job.id), 'state', 'delivered', 'ended_at', now, 'retention', ARGV[8])
  redis.call('DEL', key.body(job.id), key.original(job.id))
else
  end_job(job.id, { state = 'delivered', ended_at = now, reason = false }, ARGV[8], job.done, attempts)
end
if job.leased then activate_next(job.location, job.record) end
return reply('delivered', 9)
