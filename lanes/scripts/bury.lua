-- bury: the job becomes a dead letter. A refused credential holds the lane, and only the first such job is a dead
-- letter: others go back to pending with no attempt spent, as does any when another credential is stored by now.
-- Refusals in a row put the lane on the brake; jobs in flight at that time go back to pending, too.
-- Moves: in flight -> dead | pending (ready) when its lane was held or braked meanwhile
-- ARGV:
--   1 to 7 as deliver has them
--   8 reason      refused | exhausted | unauthorized
--   9 hold        for a refused credential: its version (0: the token of the settings, or none), a space, the reason;
--                 else ''. If 7 is '', no request was made
--   10 refusal    for the brake: refusals in a row that close it, first and longest gap between probes (us), status and
--                 shape of the message, separated by spaces; else ''
--   11.. as ARGV 1 to 3 and 7 of release, or nothing
-- Returns: { 'buried' | 'requeued' | 'braked' | 'stale' | 'unknown', with durations; what release returns after its code }
-- @include now
-- @include queue/begin_report
-- @include queue/stale
-- @include dead_letter/bury_job
-- @include hold/credential
-- @include hold/hold_lane
-- @include breaker/breaker
-- @include queue/requeue_job
-- @include queue/release_next
local job = begin_report(ARGV[1], ARGV[2], ARGV[7], false, ARGV[7] == '')
if not job then return reply('unknown', 11) end
write_lane(job.lane)
api_refused(job, ARGV[7])
if stale(job, ARGV[8], ARGV[3]) then return reply('stale', 11) end
local version, why = string.match(ARGV[9], '^(%d+) (.*)$')
if why and (redis.call('HEXISTS', key.lane(job.location), 'unauthorized') == 1
  or credential_version(job.location) ~= version) then
  requeue_job(job, ARGV[3], ARGV[7] ~= '')
  return reply('requeued', 11)
end
local refusal = read_refusal(ARGV[10])
if refusal and sent_before_brake(job) then
  end_attempt(job, 'braked', ARGV[3])
  count(job.location, nil, 'retried')
  make_pending(job)
  return reply('braked', 11)
end
if refusal then note_refusal(job, refusal) end
if why then hold_lane(job.location, why, AUTHORIZATION, version) end
end_attempt(job, ARGV[8], ARGV[3])
bury_job(job.id, job.location, job.record, 'in_flight', ARGV[8])
activate_next(job.location, job.record)
return reply('buried', 11)
