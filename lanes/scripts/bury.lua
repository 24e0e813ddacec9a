-- bury: the job will not be sent again unless a person replays it. Where a credential was refused, its lane is held behind it; only
-- the first such job is a dead letter. One that comes back when the lane is held for that already, or when another credential stands
-- there by now, goes back to its place and out again, with no attempt spent. Refusals in a row put the lane on the brake; a request
-- that was out then and is refused, too, costs nothing: its job goes back to its place.
-- Moves: in flight -> dead | pending (ready) when its credential was refused, and that is known or over, or when it was out while the
--   brake closed
-- ARGV:
--   1 to 7 as deliver has them
--   8 reason      refused | exhausted | unauthorized
--   9 hold        when a credential was refused: its version (0 for the token of the settings, and for none), a space, and why;
--                 else ''. No request was made when the answer told nothing ('' in 7)
--   10 refusal    when it counts towards the brake: how many in a row close it, us of the first and the longest gap between
--                 probes, the status of the answer and the shape of its message, with spaces in between; else ''
--   11.. as ARGV 1 to 3 of release, or nothing
-- Returns: { 'buried' | 'requeued' | 'braked' | 'stale' | 'unknown', what release returns behind its code }
-- @include now
-- @include queue/begin_report
-- @include queue/stale
-- @include dead_letter/bury_job
-- @include hold/credential
-- @include hold/hold_lane
-- @include breaker/breaker
-- @include queue/requeue_job
-- @include queue/reply
local job = begin_report(ARGV[1], ARGV[2], ARGV[7], false, ARGV[7] == '')
if not job then return reply('unknown', 11) end
api_refused(job, ARGV[7])
if stale(job, ARGV[8], ARGV[3]) then return reply('stale', 11) end
local version, why = string.match(ARGV[9], '^(%d+) (.*)$')
if why and (redis.call('HEXISTS', key.lane(job.location), 'unauthorized') == 1 or credential_version(job.location) ~= version) then
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
