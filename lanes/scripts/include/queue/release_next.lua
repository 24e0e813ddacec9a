-- @include queue/lane
-- @include rate_limit/next_request
-- @include queue/durations
-- @include queue/isolate
-- @lazy queue/set_aside
-- @lazy queue/redeliver_unacked
-- @lazy queue/servable
-- @lazy queue/promote_due
-- @lazy queue/expire_released
-- @lazy breaker/global_state
-- @lazy breaker/probe
local MAX_LANES_CHECKED = 32
local FAIR_SHARE = 8
local RESERVE_PAUSE = 100000  -- us after which a reserved thread asks again
-- @lazy queue/turns

-- take_turn(lane): sets when the lane is due next. Returns the job to release now, or nil. The caller writes the lane.
local function take_turn(lane)
  local location = lane.location
  if lane.hold then
    redis.call('ZREM', key.due, location)
    return nil
  end
  local delayed = redis.call('ZRANGE', key.delayed(location), 0, 0, 'WITHSCORES')
  if delayed[1] and tonumber(delayed[2]) <= now then delayed = promote_due().promote_due(location) end
  local waits_until = math.max(lane.backoff_until, lane.throttled_until, lane.brake_probe_at)
  local waits = waits_until > now
  local until_at = waits and waits_until or limited_until(lane)
  local ready = redis.call('ZRANGE', key.ready(location), 0, 1)
  local at, keeps_turn = now, false
  if #ready < (until_at and 1 or 2) then
    at = tonumber(delayed[2])
  elseif not until_at and lane.weight > 1 then
    -- A lane of weight n goes n times in a row.
    set(lane, 'turn', (lane.turn + 1) % lane.weight)
    keeps_turn = lane.turn > 0
  end
  if until_at then
    if not waits then set(lane, 'rate_limited_until', until_at) end
    at = at and math.max(at, until_at)
  end
  if not at then
    redis.call('ZREM', key.due, location)
  elseif not keeps_turn then
    redis.call('ZADD', key.due, at, location)
  end
  if until_at then return nil end
  if lane.gap or lane.brake_at then return probe().choose(lane, ready) end
  return ready[1]
end

-- send(id, lane, all_paused, worker, lease): releases the job, or returns nil for one that was over. It reads first:
-- what cannot be read must not leave a job half released.
local function send(id, lane, all_paused, worker, lease)
  local location = lane.location
  local job = redis.call('HMGET', key.job(id), 'expires_at', 'record', 'attempt', 'failures', 'merged_count', 'version')
  local expires_at, attempt = job[1], (tonumber(job[3]) or 0) + 1
  if tonumber(expires_at) and tonumber(expires_at) <= now then
    write_lane(lane)
    if expire_released().expire_released(id, location, job[2], expires_at) then return nil end
  end
  local body = redis.call('GET', key.body(id))
  local request = id .. ':' .. attempt
  redis.call('ZADD', key.leases, now + lease, id)
  if expires_at then redis.call('ZREM', key.expiring, id) end
  redis.call('ZREM', key.ready(location), id)
  local number = charge(lane, request, now + lease + lane.window)
  move_job(lane, 'pending', 'in_flight')
  write_lane(lane)
  local fields = { 'state', 'in_flight', 'attempt', attempt, 'released_at', now, 'worker', worker, 'number', number }
  if lane.lost > 0 then fields[11], fields[12] = 'lost', lane.lost end
  redis.call('HSET', key.job(id), unpack(fields))
  if all_paused or lane.gap or lane.brake_at then probe().send_probe(id, attempt, job[2], lane, all_paused, lease) end
  redis.call('SET', key.consumer(worker), request, 'PX', math.ceil(lease / 1000))
  return { id, location, attempt, tonumber(job[4]) or 0, now, tonumber(job[5]) or 0, job[6] or '', body }
end

-- next_lane(unservable): returns the next location that this worker can serve and whether all lanes are paused (the
-- cause, if it is no outage); or nil and us until one is due, or -1.
local function next_lane(unservable)
  local first = redis.call('ZRANGE', key.due, 0, 0, 'WITHSCORES')
  local all_paused = first[1] == ''
  if all_paused then
    local free, at, cause = global_state().half_open_capacity()
    if free <= 0 then return nil, at and at - now or -1 end
    all_paused = cause or all_paused
    first = redis.call('ZRANGE', key.due, 1, 1, 'WITHSCORES')
  end
  if not first[1] then return nil, -1 end
  local due = tonumber(first[2])
  if due > now then return nil, due - now end
  if unservable == '' then return first[1], all_paused end
  local location, pause = servable().next_servable(unservable, all_paused and 1 or 0)
  return location, pause or all_paused
end

-- release_next(from, known, reported_by): releases a job of the next lane, see `reply`. Returns what release.lua
-- returns after its code, or {} without ARGV. A reserved thread gets no job of a lane that has its fair share in
-- flight. Such a lane stays due.
local function release_next(from, known, reported_by)
  local worker, lease, unservable = ARGV[from], tonumber(ARGV[from + 1]), ARGV[from + 2]
  if not worker then return {} end
  if worker ~= reported_by then
    -- A full Redis allows GETDEL, and then all later writes.
    local found, last = isolate(nil, nil, redis.call, 'GETDEL', key.consumer(worker))
    if found and last then
      local _, lost = isolate(nil, nil, redeliver_unacked().redeliver_unacked, worker, last, lease)
      if type(lost) == 'table' then return lost end
    end
  end
  local reserved = ARGV[#ARGV] == '1'
  local passed_over, passed_all_paused, kept_from
  for checked = 1, MAX_LANES_CHECKED do
    local location, all_paused = next_lane(unservable)
    if not location and not passed_over then
      if kept_from then break end
      return { '', all_paused }
    end
    local lane, readable, id = passed_over, true, nil
    if known and known.location == location then
      lane, known = known, nil
    elseif location then
      readable, lane = isolate(location, nil, read_lane, location)
    end
    if not readable then
      set_aside().set_aside(location, nil, lane)
    elseif location and reserved and lane.in_flight >= FAIR_SHARE * lane.weight then
      redis.call('ZADD', key.due, now + 1, location)
      kept_from = true
    elseif location and not (all_paused and checked == MAX_LANES_CHECKED)
      and (all_paused or lane.in_flight >= FAIR_SHARE * lane.weight) and turns().yields_turn(lane, all_paused) then
      redis.call('ZADD', key.due, now + 1, location)
      passed_over = passed_over or lane
      passed_all_paused = all_paused
    else
      if not location then passed_over, all_paused = nil, passed_all_paused end
      readable, id = isolate(lane.location, nil, take_turn, lane)
      if not readable then set_aside().set_aside(lane.location, nil, id) end
    end
    if readable and id then
      local sendable, released = isolate(lane.location, id, send, id, lane, all_paused, worker, lease)
      if sendable and released then return released end
      if not sendable then set_aside().set_aside(lane.location, id, released) end
    end
    if readable then write_lane(lane) end
  end
  if kept_from then return { '', RESERVE_PAUSE, 1 } end
  return { '', 0 }
end

-- reply(code, from, known, reported_by): returns the reply of a script that ends with a release. ARGV of release.lua
-- begin at `from`, or are missing. `known` is a lane as it is now, if it was read. `reported_by` sent the job that was
-- just reported, if that was its last. The counts of all lanes are written even if the release fails.
local function reply(code, from, known, reported_by)
  local released, found = pcall(release_next, from, known, reported_by)
  for state, by in pairs(moved) do
    if by ~= 0 then redis.pcall('HINCRBY', key.counts, state, by) end
  end
  if not released then error(found, 0) end
  if reported_by and found[1] == '' then redis.call('DEL', key.consumer(reported_by)) end
  return { code .. durations, unpack(found) }
end
