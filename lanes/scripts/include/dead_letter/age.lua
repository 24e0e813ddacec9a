-- age(id): how new is what a job says: its times (where a service told the time of an event, that; else that of acceptance)
-- from the oldest to the newest of all that was merged into it, and its number in the order of acceptance.
local function age(id)
  local job = redis.call('HMGET', key.job(id), 'event_time', 'accepted_at', 'field_times', 'first_seq', 'seq')
  local at = tonumber(job[1] or job[2])
  local found = { oldest = at, newest = at, first_seq = tonumber(job[4] or job[5]) }
  for time in string.gmatch(job[3] or '', '=(%d+)') do
    found.oldest, found.newest = math.min(found.oldest, tonumber(time)), math.max(found.newest, tonumber(time))
  end
  return found
end

-- is_newer(job, letter): whether something that the job says is newer than something that the letter says.
local function is_newer(job, dead_letter)
  if job.newest ~= dead_letter.oldest then return job.newest > dead_letter.oldest end
  return job.first_seq > dead_letter.first_seq
end
