-- @include fields
-- @include expiry
-- void_of(location, newest, times): which fields count as if they had not been told of, as a function of a field's name: those of
-- the newest event, when its job was taken back, or is never sent. Returns nil when there are none.
local function void_of(location, newest, times)
  local job = redis.call('HMGET', key.job(newest), 'state', 'expires_at', 'event_time', 'times')
  local over = job[1] == 'pending' and job[2] and expiry(newest, location, job[2]) <= now
  if job[1] ~= 'cancelled' and job[1] ~= 'expired' and not over then return nil end
  local merged = ' ' .. (job[4] or '') .. ' '
  return function(name)
    local time = times[name]
    return time == times['@time'] or time == job[3] or string.find(merged, ' ' .. name .. '=' .. time .. ' ', 1, true)
  end
end

-- overtaken(order): takes out of the order what a later event of its record has said already; returns the job
-- that it adds nothing to, if nothing is left and that job is known: else what is left is sent, and changes nothing. An
-- opportunity that a later event moved to another pipeline stays there, and in its stage.
-- Only orders with an event time know of each other.
local function overtaken(order)
  if not order.event_time then return nil end
  local known = redis.call('HGETALL', key.events(order.location, order.record))
  if #known == 0 then return nil end
  local times = {}
  for i = 1, #known, 2 do times[known[i]] = known[i + 1] end
  local newest = redis.call('HGET', key.job(times['@job']), 'merged_into') or times['@job']
  local void = void_of(order.location, newest, times)
  local names, values = fields(order.body)
  local moved = not void and times['@pipeline']
  local elsewhere = moved and tonumber(times['@time']) > order.event_time and values.pipelineId ~= moved
  local kept, left = {}, 0
  for _, name in ipairs(names) do
    local later = not KEPT[name] and tonumber(times[name] or 0) > order.event_time and not (void and void(name))
      or elsewhere and name == 'pipelineStageId'
    if not later then kept[#kept + 1] = name end
    if not later and not KEPT[name] then left = left + 1 end
  end
  if elsewhere then values.pipelineId = moved end
  if #kept < #names or elsewhere then order.body = join_fields(kept, values) end
  if left > 0 or void or tonumber(times['@time']) <= order.event_time then return nil end
  return redis.call('EXISTS', key.job(newest)) == 1 and newest or nil
end

-- note_event_time(order, id, window): from now on, older events of the record do not overwrite what this one said. Under
-- '@job' stands the job that has the newest event, under '@time' the time of that event, and under '@pipeline' its pipeline
-- where the body names the opportunity itself, and so may move it.
local function note_event_time(order, id, window)
  local events = key.events(order.location, order.record)
  local names, values = fields(order.body)
  for _, name in ipairs(names) do
    if not KEPT[name] then redis.call('HSET', events, name, string.format('%.0f', order.event_time)) end
  end
  if order.event_time >= (tonumber(redis.call('HGET', events, '@time')) or 0) then
    redis.call('HSET', events, '@time', string.format('%.0f', order.event_time), '@job', id)
    if values.id then redis.call('HSET', events, '@pipeline', values.pipelineId) end
  end
  redis.call('PEXPIRE', events, window)
end
