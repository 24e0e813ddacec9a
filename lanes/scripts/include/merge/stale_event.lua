-- @include merge/fields
-- @include queue/expiry
-- @include history/read_done
-- retracted_fields(location, newest, field_times): if the job with the newest event was cancelled or expired, returns a
-- function that says whether a field's time no longer counts, because that job set it; else nil.
local function retracted_fields(location, newest, field_times)
  local job = redis.call('HMGET', key.job(newest), 'state', 'expires_at', 'event_time', 'field_times')
  local done = not job[1] and read_done(newest)
  if done then job = { done.fields.state, nil, done.fields.event_time, done.fields.field_times } end
  local over = job[1] == 'pending' and job[2] and expiry(newest, location, job[2]) <= now
  if job[1] ~= 'cancelled' and job[1] ~= 'expired' and not over then return nil end
  local merged = ' ' .. (job[4] or '') .. ' '
  return function(name)
    local time = field_times[name]
    return time == field_times['@time'] or time == job[3] or string.find(merged, ' ' .. name .. '=' .. time .. ' ', 1, true)
  end
end

-- stale_event(new_job): removes the fields that a later event of the record already set. If nothing is left, returns
-- the job with that event, if it still exists; if not, the rest is sent and changes nothing. An opportunity that a
-- later event moved to another pipeline stays there, in its stage. Applies to jobs with an event time only.
local function stale_event(new_job)
  if not new_job.event_time then return nil end
  local known = redis.call('HGETALL', key.event_times(new_job.location, new_job.record))
  if #known == 0 then return nil end
  local field_times = {}
  for i = 1, #known, 2 do field_times[known[i]] = known[i + 1] end
  local newest = field_times['@job'] or ''
  local done = read_done(newest)
  newest = done and done.fields.merged_into or newest
  local retracted = retracted_fields(new_job.location, newest, field_times)
  local names, values = fields(new_job.body)
  local moved = not retracted and field_times['@pipeline']
  local elsewhere = moved and tonumber(field_times['@time']) > new_job.event_time and values.pipelineId ~= moved
  local kept, left = {}, 0
  for _, name in ipairs(names) do
    local merged, later = not NEVER_MERGED[name], tonumber(field_times[name] or 0) > new_job.event_time
    local is_stale = merged and later and not (retracted and retracted(name)) or elsewhere and name == 'pipelineStageId'
    if not is_stale then kept[#kept + 1] = name end
    if not is_stale and merged then left = left + 1 end
  end
  if elsewhere then values.pipelineId = moved end
  if #kept < #names or elsewhere then new_job.body = join_fields(kept, values) end
  if left > 0 or retracted or tonumber(field_times['@time'] or 0) <= new_job.event_time then return nil end
  return redis.call('EXISTS', key.job(newest), key.done(newest)) > 0 and newest or nil
end

-- note_event_time(new_job, id, window): remembers the time of each field, so that older events do not overwrite it.
-- '@job' has the newest event, '@time' is its time, '@pipeline' its pipeline if the body has the opportunity's id and
-- so may move it.
local function note_event_time(new_job, id, window)
  local event_times = key.event_times(new_job.location, new_job.record)
  local names, values = fields(new_job.body)
  for _, name in ipairs(names) do
    if not NEVER_MERGED[name] then redis.call('HSET', event_times, name, string.format('%.0f', new_job.event_time)) end
  end
  if new_job.event_time >= (tonumber(redis.call('HGET', event_times, '@time')) or 0) then
    redis.call('HSET', event_times, '@time', string.format('%.0f', new_job.event_time), '@job', id)
    if values.id then redis.call('HSET', event_times, '@pipeline', values.pipelineId) end
  end
  redis.call('PEXPIRE', event_times, window)
end
