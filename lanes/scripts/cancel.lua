-- cancel: cancels a pending job.
-- Moves: pending -> cancelled
-- ARGV:
--   1 id
--   2 retention   ms for which the job can still be read
-- Returns: 'cancelled', 'unknown', 'has_merged_jobs' when other jobs were merged into it, or the state it is in
-- @include now
-- @include queue/count
-- @include queue/remove_pending
-- @include queue/expire_keys
-- forget_event(location, record, time): a job was cancelled; its fields no longer count as the latest.
local function forget_event(location, record, time)
  local event_times = key.event_times(location, record)
  local known = redis.call('HGETALL', event_times)
  for i = 1, #known, 2 do
    local name = known[i]
    if known[i + 1] == time and string.sub(name, 1, 1) ~= '@' then redis.call('HDEL', event_times, name) end
  end
end

local job = redis.call('HMGET', key.job(ARGV[1]), 'state', 'location', 'record', 'merged_count', 'was_dead', 'event_time')
if not job[1] then return 'unknown' end
if job[1] ~= 'pending' then return job[1] end
if job[4] then return 'has_merged_jobs' end
remove_pending(job[2], job[3], ARGV[1])
redis.call('HSET', key.job(ARGV[1]), 'state', 'cancelled', 'ended_at', now)
count(job[2], 'pending', 'cancelled')
if job[6] then forget_event(job[2], job[3], job[6]) end
expire_keys(ARGV[1], ARGV[2], { location = job[2], record = job[3], was_dead = job[5] })
return 'cancelled'
