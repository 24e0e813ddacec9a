-- @include merge/fields
-- @include queue/promote
-- @include history/pack
-- read_field_times(text): reads the time of each field of a job with merged jobs, like 'status=17... name=17...'.
local function read_field_times(text)
  local field_times = {}
  for name, time in string.gmatch(text or '', '(%S+)=(%d+)') do field_times[name] = tonumber(time) end
  return field_times
end

-- waiting(new_job): returns the newest job of the record if it can be merged into: pending, never sent, of the same API
-- version, and not due before the new job.
local function waiting(new_job)
  local id = redis.call('LINDEX', key.blocked(new_job.location, new_job.record), -1)
    or redis.call('HGET', key.active(new_job.location), new_job.record)
  if not id then return nil end
  local job = redis.call('HMGET', key.job(id), 'state', 'attempt', 'not_before', 'expires_at', 'event_time', 'accepted_at',
    'field_times', 'priority', 'version')
  local due = math.max(now, tonumber(job[3]) or 0)
  local over = job[4] and tonumber(job[4]) <= now
  if job[1] ~= 'pending' or job[2] or over or (new_job.not_before or 0) > due then return nil end
  if (job[9] or '') ~= new_job.version then return nil end
  return { id = id, time = tonumber(job[5]) or tonumber(job[6]), field_times = read_field_times(job[7]),
           priority = tonumber(job[8]) or 0 }
end

-- merge(new_job): merges into a pending job of its record: of each field the value with the later time wins, the new
-- job's if equal. One that moves the opportunity to another pipeline is not merged. Returns the id of that job, or nil.
local function merge(new_job)
  local job = waiting(new_job)
  if not job then return nil end
  local names, values = fields(redis.call('GET', key.body(job.id)))
  local added, brought = fields(new_job.body)
  if values.pipelineId ~= brought.pipelineId then return nil end
  local time, texts = new_job.event_time or now, {}
  for _, name in ipairs(added) do
    local held = values[name] and (job.field_times[name] or job.time)
    if not held then names[#names + 1] = name end
    if not NEVER_MERGED[name] and (not held or held <= time) then
      values[name], job.field_times[name] = brought[name], time
    end
  end
  for name, at in pairs(job.field_times) do texts[#texts + 1] = name .. '=' .. string.format('%.0f', at) end
  redis.call('SET', key.body(job.id), join_fields(names, values))
  redis.call('HSET', key.job(job.id), 'field_times', table.concat(texts, ' '))
  if new_job.priority > job.priority then promote(new_job.location, new_job.record, new_job.priority) end
  return job.id
end

-- extend_expiry(merge_target, expires_at, while_held): the target must not expire before the jobs merged into it.
local function extend_expiry(merge_target, expires_at, while_held)
  local job = redis.call('HMGET', key.job(merge_target), 'state', 'expires_at')
  if job[1] ~= 'pending' and job[1] ~= 'in_flight' or not job[2] then return end
  if not while_held then redis.call('HDEL', key.job(merge_target), 'expires_while_held') end
  if expires_at and expires_at <= tonumber(job[2]) then return end
  if expires_at then
    redis.call('HSET', key.job(merge_target), 'expires_at', expires_at)
    if job[1] == 'pending' then redis.call('ZADD', key.expiring, expires_at, merge_target) end
  else
    redis.call('HDEL', key.job(merge_target), 'expires_at')
    redis.call('ZREM', key.expiring, merge_target)
  end
end

-- mark_merged(new_job, merge_target): stores the job as merged. It has the outcome and the retention of the target.
local function mark_merged(new_job, merge_target)
  local name = key.done(new_job.id)
  redis.call('SET', name, pack_done({ state = 'merged', location = new_job.location, record = new_job.record, accepted_at = now,
                                      service = new_job.service ~= '' and new_job.service or nil, merged_into = merge_target }, {}))
  redis.call('SADD', key.merged_jobs(merge_target), new_job.id)
  if redis.call('EXISTS', key.job(merge_target)) == 1 then
    redis.call('HINCRBY', key.job(merge_target), 'merged_count', 1)
    return extend_expiry(merge_target, new_job.expires_at, new_job.expires_while_held)
  end
  local left = math.max(redis.call('PTTL', key.done(merge_target)), 1) -- 0 in the last millisecond
  redis.call('PEXPIRE', name, left)
  redis.call('PEXPIRE', key.merged_jobs(merge_target), left)
end
