-- @include queue/lane
-- @include rate_limit/budget
-- @include rate_limit/day
-- @include queue/enqueue_active
-- @include queue/expire_job
-- @include queue/expiry
-- @include breaker/global_state
-- @include breaker/probe
-- @include queue/servable
-- @include queue/durations
-- @include queue/isolate
-- @include queue/set_aside
-- release_next(from): releases a job of the next lane. ARGV from position `from` on are those of release.lua.
-- Returns what release.lua returns after its code, or {} without ARGV.
local MAX_LANES_CHECKED = 32
local FAIR_SHARE = 8

local function promote_job(location, id)
  local job = redis.call('HMGET', key.job(id), 'seq', 'priority')
  redis.call('ZADD', key.ready(location), rank(tonumber(job[1]), tonumber(job[2])), id)
end

-- promote_due(location): moves jobs whose backoff or not-before is over from `delayed` to `ready`, and a broken job to
-- nowhere.
local function promote_due(location)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.delayed(location), '-inf', now, 'LIMIT', 0, 64)) do
    local readable, broken = isolate(location, id, promote_job, location, id)
    redis.call('ZREM', key.delayed(location), id)
    if not readable then report_broken(location, id, broken) end
  end
end

-- keeps_turn(lane): whether the lane goes first again: a lane of weight n does n times in a row.
local function keeps_turn(lane)
  if lane.weight <= 1 then return false end
  local turn = (lane.turn + 1) % lane.weight
  redis.call('HSET', key.lane(lane.location), 'turn', turn)
  return turn > 0
end

-- exceeds_fair_share(lane): whether it has more than its share of all requests in flight while another lane is due.
-- Else a slow location would occupy all sender threads.
local function exceeds_fair_share(lane)
  if lane.in_flight < FAIR_SHARE * lane.weight then return false end
  local due = redis.call('ZCOUNT', key.due, '-inf', now)
  return due > 1 and lane.in_flight * due > redis.call('ZCARD', key.leases) * lane.weight
end

-- yields_turn(lane, all_paused): whether it goes only if no other lane is due: a lane above its fair share; on the
-- brake of all lanes, a lane with its own brake, because the others are more likely to deliver a probe.
local function yields_turn(lane, all_paused)
  if all_paused then return all_paused == 'refusals' and lane.brake_at end
  return exceeds_fair_share(lane)
end

-- take_turn(lane): sets when the lane is due next. Returns the job to release now, or nil.
local function take_turn(lane)
  local location = lane.location
  if lane.held then
    redis.call('ZREM', key.due, location)
    return nil
  end
  promote_due(location)
  local waits_until = math.max(lane.backoff_until, lane.throttled_until, lane.brake_probe_at)
  local waits = waits_until > now
  local until_at = waits and waits_until or burst_until(lane) or day_until(lane)
  local ready = redis.call('ZRANGE', key.ready(location), 0, 1)
  local at = now
  if #ready < (until_at and 1 or 2) then
    at = tonumber(redis.call('ZRANGE', key.delayed(location), 0, 0, 'WITHSCORES')[2])
  elseif not until_at and keeps_turn(lane) then
    return choose(lane, ready)
  end
  if until_at then
    if not waits then redis.call('HSET', key.lane(location), 'rate_limited_until', until_at) end
    at = at and math.max(at, until_at)
  end
  if at then
    redis.call('ZADD', key.due, at, location)
  else
    redis.call('ZREM', key.due, location)
  end
  if until_at then return nil end
  return choose(lane, ready)
end

-- assign_to_consumer(worker, id, attempt, lease): remembers the job as the worker's last, until its lease ends.
local function assign_to_consumer(worker, id, attempt, lease)
  redis.call('SET', key.consumer(worker), id .. ':' .. attempt, 'PX', math.ceil(lease / 1000))
end

-- redeliver_unacked(worker, lease): returns the worker's last job again if it was never reported: the reply of that
-- call was lost, because a consumer sends one job at a time. Same attempt, new lease. A full Redis allows GETDEL first.
local function redeliver_unacked(worker, lease)
  local id, attempt = string.match(redis.call('GETDEL', key.consumer(worker)) or '', '^(.+):(%d+)$')
  if not id then return nil end
  local job = redis.call('HMGET', key.job(id), 'state', 'attempt', 'location', 'failures', 'released_at',
    'merged_count', 'version')
  if job[1] ~= 'in_flight' or job[2] ~= attempt then return nil end
  assign_to_consumer(worker, id, attempt, lease)
  redis.call('ZADD', key.leases, now + lease, id)
  local lane = read_lane(job[3])
  redis.call('ZADD', key.rate_slots(job[3]), now + lease + lane.window, id .. ':' .. attempt)
  redis.call('ZADD', key.probes, 'XX', now + lease, id .. ':' .. attempt)
  extend_probe(lane, id .. ':' .. attempt, tonumber(job[5]), lease)
  return { id, job[3], tonumber(attempt), tonumber(job[4]) or 0, tonumber(job[5]), tonumber(job[6]) or 0, job[7] or '',
           redis.call('GET', key.body(id)) }
end

-- send_out(id, job, lane, all_paused, worker, lease): releases the job. It reads first: what cannot be read must not
-- leave a job half released.
local function send_out(id, job, lane, all_paused, worker, lease)
  local attempt = (tonumber(job[3]) or 0) + 1
  local body = redis.call('GET', key.body(id))
  redis.call('ZADD', key.leases, now + lease, id)
  if job[1] then redis.call('ZREM', key.expiring, id) end
  redis.call('ZREM', key.ready(lane.location), id)
  local number = charge_budget(lane, id .. ':' .. attempt, now + lease + lane.window)
  redis.call('HSET', key.job(id), 'state', 'in_flight', 'attempt', attempt, 'released_at', now, 'worker', worker,
    'number', number)
  if lane.lost > 0 then redis.call('HSET', key.job(id), 'lost', lane.lost) end
  count(lane.location, 'pending', 'in_flight')
  if all_paused or lane.gap or lane.brake_at then send_probe(id, attempt, job[2], lane, all_paused, lease) end
  assign_to_consumer(worker, id, attempt, lease)
  return { id, lane.location, attempt, tonumber(job[4]) or 0, now, tonumber(job[5]) or 0, job[6] or '', body }
end

-- send_or_expire(id, lane, all_paused, worker, lease): returns the released job, or nil for one that was over.
local function send_or_expire(id, lane, all_paused, worker, lease)
  local job = redis.call('HMGET', key.job(id), 'expires_at', 'record', 'attempt', 'failures', 'merged_count', 'version')
  local expires_at = tonumber(job[1])
  if expires_at and expires_at <= now and expiry(id, lane.location, expires_at) <= now then
    expire_job(id, lane.location, job[2])
    return nil
  end
  return send_out(id, job, lane, all_paused, worker, lease)
end

-- next_lane(unservable): returns the next location that this worker can serve and whether all lanes are paused (the
-- cause, if it is no outage); or nil and us until one is due, or -1.
local function next_lane(unservable)
  local first = redis.call('ZRANGE', key.due, 0, 0, 'WITHSCORES')
  local all_paused = first[1] == ''
  if all_paused then
    local free, at, cause = half_open_capacity()
    if free <= 0 then return nil, at and at - now or -1 end
    all_paused = cause or all_paused
    first = redis.call('ZRANGE', key.due, 1, 1, 'WITHSCORES')
  end
  if not first[1] then return nil, -1 end
  local due = tonumber(first[2])
  if due > now then return nil, due - now end
  if unservable == '' then return first[1], all_paused end
  local location = due_locations(unservable, all_paused and 1 or 0, 1)[1]
  if not location then return nil, UNSERVABLE_PAUSE end
  return location, all_paused
end

local function release_next(from)
  local worker, lease, unservable = ARGV[from], tonumber(ARGV[from + 1]), ARGV[from + 2]
  if not worker then return {} end
  local _, lost = isolate(nil, nil, redeliver_unacked, worker, lease)
  if type(lost) == 'table' then return lost end
  local passed_over, passed_all_paused
  for checked = 1, MAX_LANES_CHECKED do
    local location, all_paused = next_lane(unservable)
    if not location and not passed_over then return { '', all_paused } end
    local lane, readable, id = passed_over, true, nil
    if location then readable, lane = isolate(location, nil, read_lane, location) end
    if not readable then
      set_aside(location, nil, lane)
    elseif location and not (all_paused and checked == MAX_LANES_CHECKED) and yields_turn(lane, all_paused) then
      redis.call('ZADD', key.due, now + 1, location)
      passed_over = passed_over or lane
      passed_all_paused = all_paused
    else
      if not location then passed_over, all_paused = nil, passed_all_paused end
      readable, id = isolate(lane.location, nil, take_turn, lane)
      if not readable then set_aside(lane.location, nil, id) end
    end
    if readable and id then
      local sendable, released = isolate(lane.location, id, send_or_expire, id, lane, all_paused, worker, lease)
      if sendable and released then return released end
      if not sendable then set_aside(lane.location, id, released) end
    end
  end
  return { '', 0 }
end

local function reply(code, from)
  return { code .. durations, unpack(release_next(from)) }
end
