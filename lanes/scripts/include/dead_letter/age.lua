-- age(id, done): returns the oldest and newest time of what a job says, including jobs merged into it (event times,
-- else times of acceptance), and its number in the order of acceptance. `done` is what `read_done` returned for a job
-- that is done.
local function age(id, done)
  local names = { 'event_time', 'accepted_at', 'field_times', 'first_seq', 'seq' }
  local job = redis.call('HMGET', key.job(id), unpack(names))
  for i, name in ipairs(done and names or {}) do job[i] = done.fields[name] end
  local at = tonumber(job[1] or job[2])
  local found = { oldest = at, newest = at, first_seq = tonumber(job[4] or job[5]) }
  for time in string.gmatch(job[3] or '', '=(%d+)') do
    found.oldest, found.newest = math.min(found.oldest, tonumber(time)), math.max(found.newest, tonumber(time))
  end
  return found
end

-- is_newer(job, dead_letter): whether part of the job is newer than part of the dead letter.
local function is_newer(job, dead_letter)
  if job.newest ~= dead_letter.oldest then return job.newest > dead_letter.oldest end
  return job.first_seq > dead_letter.first_seq
end
