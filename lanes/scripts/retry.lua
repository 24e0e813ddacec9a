-- retry: the attempt failed in a transient way; the job waits for its backoff and blocks its own record only. It is
-- buried when its attempts or its time are spent (not by an outage), or if it must not be sent again.
-- Moves: in flight -> pending (later) | dead when its attempts or its time are spent
-- ARGV:
--   1 to 7 as deliver has them
--   8 delay         us of backoff
--   9 outage        when the API failed: failures and locations that make an outage, first and longest gap between
--                   probes (us), separated by spaces; else ''
--   10 max_attempts '' for no limit, 0 when this attempt is the last in any case
--   11 max_age      us since acceptance or the last replay after which a failed attempt is the last, or ''
--   12 reason       of the dead letter: exhausted | unconfirmed
--   13 min_delay    the API's Retry-After in us, or 0: no retry and no probe goes out earlier
--   14.. as ARGV 1 to 3 and 7 of release, or nothing
-- Returns: { 'retried' | 'buried' | 'stale' | 'unknown', with durations; what release returns after its code }
-- @include now
-- @include queue/begin_report
-- @include queue/stale
-- @include breaker/breaker
-- @include hold/held_time
-- @include dead_letter/bury_job
-- @include queue/make_pending
-- @include queue/release_next
local job = begin_report(ARGV[1], ARGV[2], ARGV[7])
if not job then return reply('unknown', 14) end
write_lane(job.lane)
local outcome = 'retry'
if ARGV[12] == 'unconfirmed' then outcome = ARGV[12] end
local min_delay = tonumber(ARGV[13])
local fault = 'job'
if ARGV[9] == '' then
  api_refused(job, ARGV[7])
elseif job.current then
  fault = api_failed(job, ARGV[9], min_delay)
end
if stale(job, outcome, ARGV[3]) then return reply('stale', 14) end
end_attempt(job, outcome, ARGV[3])
local stored = redis.call('HMGET', key.job(job.id), 'failures', 'accepted_at', 'held_before', 'replayed_at')
local failures = tonumber(stored[1]) or 0
if fault == 'job' then failures = redis.call('HINCRBY', key.job(job.id), 'failures', 1) end
local spent = ARGV[10] == '0' or fault == 'job' and failures >= (tonumber(ARGV[10]) or math.huge)
if not spent and fault ~= 'outage' and ARGV[11] ~= '' then
  local age = now - tonumber(stored[4] or stored[2]) - held_time(job.location) + (tonumber(stored[3]) or 0)
  spent = age >= tonumber(ARGV[11])
end
if spent then
  bury_job(job.id, job.location, job.record, 'in_flight', ARGV[12])
  activate_next(job.location, job.record)
  return reply('buried', 14)
end
count(job.location, nil, 'retried')
make_pending(job, now + math.max(tonumber(ARGV[8]), min_delay))
return reply('retried', 14)
