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
--   9.. as ARGV 1 to 3 and 7 of release, to release the next job in the same call, or nothing
-- Returns: { 'delivered' | 'stale' | 'unknown', with durations; what release returns after its code }
-- @include now
-- @include queue/begin_report
-- @include queue/end_attempt
-- @include queue/activate_next
-- @include history/store_done
-- @lazy queue/late_success
-- @lazy dead_letter/newest_delivered
-- @lazy breaker/breaker
-- @lazy outcomes/outcome
-- @lazy quota/move_counted
-- @include queue/release_next
local job = begin_report(ARGV[1], ARGV[2], ARGV[7])
if not job then return reply('unknown', 9) end
local lane, location = job.lane, job.location
local known = lane
local refusals = redis.call('HMGET', key.global_state, 'refused_since', 'cause')
if lane.gap or lane.brake_at or lane.refused_run or job.probe or refusals[1] or refusals[2] then
  write_lane(lane)
  breaker().api_delivered(job)
  known = nil
end
if not job.current then
  write_lane(lane)
  return reply(late_success().deliver_late(job, ARGV[3], ARGV[8]) and 'delivered' or 'stale', 9)
end
end_attempt(job, 'delivered', ARGV[3])
local lines = job.attempt == '1' and {} or redis.call('LRANGE', key.attempts(job.id), 0, -1)
add_duration(now - job.since)
if lane.dead_letters ~= 0 then newest_delivered().note_delivered(job) end
local fields = job.fields
fields.state, fields.ended_at, fields.reason = 'delivered', now, nil
if fields.service or fields.merged_count then outcome().write_outcome(job.id, fields, 'delivered', nil, ARGV[3]) end
local kept_until = store_done(job.id, fields, lines, ARGV[8], false, ARGV[3])
if kept_until > (tonumber(lane.kept_until) or 0) then set(lane, 'kept_until', kept_until) end
move_job(lane, 'in_flight', 'delivered')
if fields.counted then move_counted().move_counted(fields.service, 'in_flight') end
write_lane(lane)
activate_next(location, job.record)
return reply('delivered', 9, known, job.worker)
