-- migrate_jobs_2: jobs of the first layout become jobs of the second, which knows of each record how many of its jobs died, and
-- keeps the content of expired ones; those that expired before have none, and count as cancelled. Again changes nothing.
-- ARGV: ids of jobs
-- Returns: how many were changed
-- @include now
local changed = 0

local function note_death(id, location, record, ended_at)
  redis.call('HSET', key.job(id), 'was_dead', 1)
  redis.call('ZADD', key.dead, 'NX', ended_at or now, id)
  redis.call('HINCRBY', key.lane(location), 'dead_letters', 1)
  redis.call('HINCRBY', key.dead_letter_counts(location), record, 1)
end

local function give_up(id, location)
  redis.call('HSET', key.job(id), 'state', 'cancelled', 'reason', 'expired')
  for _, name in ipairs({ key.counts, key.lane(location) }) do
    redis.call('HINCRBY', name, 'expired', -1)
    redis.call('HINCRBY', name, 'cancelled', 1)
  end
end

for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'was_dead', 'ended_at')
  if job[1] == 'dead' and not job[4] then
    note_death(id, job[2], job[3], job[5])
    changed = changed + 1
  elseif job[1] == 'expired' and redis.call('EXISTS', key.body(id)) == 0 then
    give_up(id, job[2])
    changed = changed + 1
  end
end
return changed
