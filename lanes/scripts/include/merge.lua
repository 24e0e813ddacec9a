-- @include fields
-- @include promote
-- read_times(job): the time of each field of a job that others were merged into: text like 'status=17... name=17...'.
local function read_times(text)
  local times = {}
  for name, time in string.gmatch(text or '', '(%S+)=(%d+)') do times[name] = tonumber(time) end
  return times
end

-- waiting(order): the youngest job of the record, when it can still be altered: it waits, was never sent, and is not due
-- before the order is, and is for the same version of the API. A later one of the record can only stand behind it.
local function waiting(order)
  local id = redis.call('LINDEX', key.behind(order.location, order.record), -1)
    or redis.call('HGET', key.heads(order.location), order.record)
  if not id then return nil end
  local job = redis.call('HMGET', key.job(id), 'state', 'attempt', 'not_before', 'expires_at', 'event_time', 'accepted_at',
    'times', 'priority', 'version', 'needs')
  local due = math.max(now, tonumber(job[3]) or 0)
  local over = job[4] and tonumber(job[4]) <= now
  if job[1] ~= 'pending' or job[2] or over or (order.not_before or 0) > due then return nil end
  if (job[9] or '') ~= order.version or job[10] then return nil end
  return { id = id, time = tonumber(job[5]) or tonumber(job[6]), times = read_times(job[7]),
           priority = tonumber(job[8]) or 0 }
end

-- merge(order): the order joins the waiting job of its record, if there is one: of each field the value with the later
-- time stands (the order's, when both are the same). One that moves the opportunity to another pipeline joins none. Returns
-- the id of that job, or nil.
local function merge(order)
  local job = waiting(order)
  if not job then return nil end
  local names, values = fields(redis.call('GET', key.body(job.id)))
  local added, brought = fields(order.body)
  if values.pipelineId ~= brought.pipelineId then return nil end
  local time, texts = order.event_time or now, {}
  for _, name in ipairs(added) do
    local held = values[name] and (job.times[name] or job.time)
    if not held then names[#names + 1] = name end
    if not KEPT[name] and (not held or held <= time) then values[name], job.times[name] = brought[name], time end
  end
  for name, at in pairs(job.times) do texts[#texts + 1] = name .. '=' .. string.format('%.0f', at) end
  redis.call('SET', key.body(job.id), join_fields(names, values))
  redis.call('HSET', key.job(job.id), 'times', table.concat(texts, ' '))
  if order.priority > job.priority then promote(order.location, order.record, order.priority) end
  return job.id
end

-- outlast(carrier, expires_at, while_held): a job must not be withdrawn before the last of those that it carries may be.
local function outlast(carrier, expires_at, while_held)
  local job = redis.call('HMGET', key.job(carrier), 'state', 'expires_at')
  if job[1] ~= 'pending' and job[1] ~= 'in_flight' or not job[2] then return end
  if not while_held then redis.call('HDEL', key.job(carrier), 'expires_while_held') end
  if expires_at and expires_at <= tonumber(job[2]) then return end
  if expires_at then
    redis.call('HSET', key.job(carrier), 'expires_at', expires_at)
    if job[1] == 'pending' then redis.call('ZADD', key.expiring, expires_at, carrier) end
  else
    redis.call('HDEL', key.job(carrier), 'expires_at')
    redis.call('ZREM', key.expiring, carrier)
  end
end

-- be_carried(order, carrier): the order becomes a job that is delivered, or not, with the carrier, and is forgotten with it.
local function be_carried(order, carrier)
  redis.call('HSET', key.job(order.id), 'state', 'merged', 'location', order.location, 'record', order.record,
    'accepted_at', now, 'merged_into', carrier)
  if order.service ~= '' then redis.call('HSET', key.job(order.id), 'service', order.service) end
  redis.call('SADD', key.carried(carrier), order.id)
  redis.call('HINCRBY', key.job(carrier), 'carries', 1)
  outlast(carrier, order.expires_at, order.expires_while_held)
  local left = redis.call('PTTL', key.job(carrier))
  if left > 0 then
    redis.call('PEXPIRE', key.job(order.id), left)
    redis.call('PEXPIRE', key.carried(carrier), left)
  end
end
