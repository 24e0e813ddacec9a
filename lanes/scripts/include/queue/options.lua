-- The options of a new job; most jobs have none.
-- read_options(new_job, text): adds the options to the job.
local function read_options(new_job, text)
  local numbers = { not_before = true, expires_at = true, priority = true, event_time = true }
  new_job.has_options = true
  for name, value in string.gmatch(text, ' ([%l_]+)=(%S*)') do
    new_job[name] = numbers[name] and tonumber(value) or value
  end
end

-- note_options(new_job, held_before): stores the options of a job.
local function note_options(new_job, held_before)
  local fields = {}
  local function note(name, value) fields[#fields + 1], fields[#fields + 2] = name, value end
  if new_job.not_before then note('not_before', new_job.not_before) end
  if new_job.expires_at then
    note('expires_at', new_job.expires_at)
    redis.call('ZADD', key.expiring, new_job.expires_at, new_job.id)
  end
  if held_before > 0 then note('held_before', string.format('%.0f', held_before)) end
  if new_job.expires_while_held then note('expires_while_held', 1) end
  if new_job.service ~= '' then note('service', new_job.service) end
  if new_job.quota then note('counted', 1) end
  if new_job.priority > 0 then note('priority', new_job.priority) end
  if new_job.event_time then note('event_time', new_job.event_time) end
  if new_job.version ~= '' then note('version', new_job.version) end
  if fields[1] then redis.call('HSET', key.job(new_job.id), unpack(fields)) end
end
