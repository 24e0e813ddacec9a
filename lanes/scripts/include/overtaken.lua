-- @include fields
-- overtaken(order): takes out of the order what a later event of its record has said already; returns the job
-- that it adds nothing to, if nothing is left. An opportunity that a later event moved to another pipeline stays there,
-- and in its stage.
-- Only orders with an event time know of each other.
local function overtaken(order)
  if not order.event_time then return nil end
  local known = redis.call('HGETALL', key.events(order.location, order.record))
  if #known == 0 then return nil end
  local times = {}
  for i = 1, #known, 2 do times[known[i]] = known[i + 1] end
  local newest = redis.call('HGET', key.job(times['@job']), 'merged_into') or times['@job']
  local job = redis.call('HMGET', key.job(newest), 'state', 'expires_at')
  local over = job[1] == 'pending' and job[2] and tonumber(job[2]) <= now
  -- What was taken back, or is never sent, has overtaken nothing.
  if not job[1] or job[1] == 'cancelled' or job[1] == 'expired' or over then return nil end
  local names, values = fields(order.body)
  local moved = times['@pipeline']
  local elsewhere = moved and tonumber(times['@time']) > order.event_time and values.pipelineId ~= moved
  local kept, left = {}, 0
  for _, name in ipairs(names) do
    local later = not KEPT[name] and tonumber(times[name] or 0) > order.event_time
      or elsewhere and name == 'pipelineStageId'
    if not later then kept[#kept + 1] = name end
    if not later and not KEPT[name] then left = left + 1 end
  end
  if elsewhere then values.pipelineId = moved end
  if #kept < #names or elsewhere then order.body = join_fields(kept, values) end
  if left > 0 or tonumber(times['@time']) <= order.event_time then return nil end
  return newest
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
