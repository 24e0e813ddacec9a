-- @include breaker/outage
-- @include queue/reschedule
-- The brake of a lane. Requests refused in a row, without a delivery, close it: the lane then sends single probes with
-- growing gaps until one is delivered or a person resumes it. A hold or an outage takes precedence; the brake continues
-- afterwards. Time on the brake counts as held time. If several lanes are on the brake for the same refusal and nothing
-- is delivered anywhere, all lanes pause, as in an outage but with the cause `refusals`; only a delivery or a person
-- ends it.
local LANES_ALIKE = 3

-- read_refusal(text): reads ARGV 10 of bury; nil for none.
local function read_refusal(text)
  local limit, gap, max_gap, status, shape = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%S+)$')
  if not limit then return nil end
  return { limit = tonumber(limit), gap = tonumber(gap), max_gap = tonumber(max_gap), status = status, shape = shape }
end

local function set_brake_gap(location, gap)
  redis.call('HSET', key.lane(location), 'brake_gap', gap, 'brake_probe_at', now + jittered(gap))
end

-- end_brake_probe(job): if the attempt was its lane's probe, schedules the next after the same gap. A refusal or a
-- delivery changes that later.
local function end_brake_probe(job)
  if not job.lane.brake_at then return end
  local name = key.lane(job.location)
  local brake = redis.call('HMGET', name, 'brake_probe', 'brake_gap')
  if brake[1] ~= job.id .. ':' .. job.attempt or not brake[2] then return end
  redis.call('HDEL', name, 'brake_probe')
  job.brake_gap = tonumber(brake[2])
  set_brake_gap(job.location, job.brake_gap)
  reschedule(job.location)
end

-- sent_before_brake(job): whether the request was in flight when a brake closed: then its refusal buries no job.
local function sent_before_brake(job)
  local released_at = tonumber(job.released_at)
  if job.lane.brake_at and released_at <= job.lane.brake_at then return true end
  local global_state = redis.call('HMGET', key.global_state, 'cause', 'outage_since')
  return global_state[1] and released_at <= tonumber(global_state[2])
end

-- brake_all(refusal): pauses all lanes. Requests in flight are no probes.
local function brake_all(refusal)
  notify('all_braked', { locations = LANES_ALIKE, status = tonumber(refusal.status) })
  redis.call('HSET', key.global_state, 'outage_since', now, 'half_open_limit', 1, 'gap', refusal.gap, 'probe_at', now + jittered(refusal.gap),
    'cause', 'refusals', 'status', refusal.status)
  update_global_state()
end

-- compare_lanes(location, refusal): puts all lanes on the brake if several are on it for the same refusal and nothing
-- was delivered anywhere since the first refusal of each. `refused_epoch` counts those deliveries.
local function compare_lanes(location, refusal)
  local global_state = redis.call('HMGET', key.global_state, 'outage_since', 'refused_epoch')
  if global_state[1] then return end
  local function alike(name)
    local lane = redis.call('HMGET', key.lane(name), 'brake_at', 'refused_status', 'refused_shape', 'refused_epoch')
    return lane[1] and lane[2] == refusal.status and lane[3] == refusal.shape and (lane[4] or '0') == (global_state[2] or '0')
  end
  if not alike(location) then return end
  local field, found = refusal.status .. ' ' .. refusal.shape, { location }
  for _, other in ipairs(cjson.decode(redis.call('HGET', key.refused_alike, field) or '[]')) do
    if other ~= location and #found < LANES_ALIKE and alike(other) then found[#found + 1] = other end
  end
  redis.call('HSET', key.refused_alike, field, cjson.encode(found))
  if #found >= LANES_ALIKE then brake_all(refusal) end
end

-- close_brake(job, refusal, run): the lane sends single probes. Requests in flight are no probes.
local function close_brake(job, refusal, run)
  redis.call('HSET', key.lane(job.location), 'brake_at', now, 'brake_record', job.record)
  set_brake_gap(job.location, refusal.gap)
  begin_held(job.location, held_clock())
  notify('lane_braked', { location = job.location, refusals = run, status = tonumber(refusal.status) })
end

-- note_refusal(job, refusal): the API refused a request that was released after the brake closed, or without one. A
-- probe's refusal doubles the gap. A replayed job does not count: it says nothing about the others.
local function note_refusal(job, refusal)
  local name = key.lane(job.location)
  if job.brake_gap then set_brake_gap(job.location, math.min(2 * job.brake_gap, refusal.max_gap)) end
  if job.global_probe_gap then
    local gap = math.min(2 * job.global_probe_gap, refusal.max_gap)
    redis.call('HSET', key.global_state, 'gap', gap, 'probe_at', now + jittered(gap))
  end
  if job.replayed then return end
  redis.call('HSETNX', key.global_state, 'refused_since', now)
  local run = redis.call('HINCRBY', name, 'refused_run', 1)
  redis.call('HSET', name, 'refused_status', refusal.status, 'refused_shape', refusal.shape)
  if run == 1 then redis.call('HSET', name, 'refused_epoch', redis.call('HGET', key.global_state, 'refused_epoch') or 0) end
  if not job.lane.brake_at then
    if run < refusal.limit then return end
    close_brake(job, refusal, run)
  end
  compare_lanes(job.location, refusal)
end

-- end_brake(location, held_now, closed_at, by): the lane continues. `by` is `delivery` or `person`.
local function end_brake(location, held_now, closed_at, by)
  redis.call('HDEL', key.lane(location), 'brake_at', 'brake_gap', 'brake_probe_at', 'brake_probe', 'brake_record')
  if not held_now then end_held(location, held_clock()) end
  notify('lane_brake_ended', { location = location, by = by, seconds = math.floor((now - closed_at) / 1000000) })
  reschedule(location)
end

-- forget_refusals(location): the next refusal is the first in a row.
local function forget_refusals(location)
  redis.call('HDEL', key.lane(location), 'refused_run', 'refused_status', 'refused_shape', 'refused_epoch')
end

-- end_brakes(job): a delivery ends the lane's brake. If it was released after the refusals began, it ends the brake
-- of all lanes. After a replayed job the count of refusals continues: the next refusal closes the brake again.
local function end_brakes(job)
  local lane = job.lane
  if lane.brake_at then end_brake(job.location, lane.hold, lane.brake_at, 'delivery') end
  if lane.refused_run and not job.replayed then forget_refusals(job.location) end
  local global_state = redis.call('HMGET', key.global_state, 'refused_since', 'cause', 'outage_since')
  local since = global_state[1] or global_state[2] and global_state[3]
  -- Only the newest attempt has a known release time.
  if not since or not job.number or tonumber(job.released_at) < tonumber(since) then return end
  redis.call('HDEL', key.global_state, 'refused_since')
  redis.call('HINCRBY', key.global_state, 'refused_epoch', 1)
  redis.call('DEL', key.refused_alike)
  if global_state[2] then end_outage(global_state[3]) end
end
