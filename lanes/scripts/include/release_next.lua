-- @include budget
-- @include expire_job
-- release_next(from): moves the first job of the lane whose turn it is from `ready` to in flight, when ARGV holds from
-- the position `from` on:
--   worker  lease (us)  burst limit  window (us)  daily limit  retention (ms)
-- Returns { id, location, attempt, failures, accepted_at, released_at, body }, or { '', us until a lane is due or -1 },
-- or {} when ARGV asks for nothing.
local LANES_LOOKED_AT = 32

-- ripen(location): jobs whose backoff or not-before is over go from `later` to `ready`.
local function ripen(location)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.later(location), '-inf', now, 'LIMIT', 0, 64)) do
    redis.call('ZREM', key.later(location), id)
    redis.call('ZADD', key.ready(location), redis.call('HGET', key.job(id), 'seq'), id)
  end
end

-- take_turn(location, burst, daily): sets when the lane is due next, and returns the job that it may release now, or nil.
local function take_turn(location, burst, daily)
  local lane = redis.call('HMGET', key.lane(location), 'hold', 'paused_until')
  if lane[1] then
    redis.call('ZREM', key.due, location)
    return nil
  end
  ripen(location)
  local until_at = tonumber(lane[2])
  if not until_at or until_at <= now then until_at = budget_until(location, burst, daily) end
  local ready = redis.call('ZRANGE', key.ready(location), 0, 1)
  local at = now
  if #ready < (until_at and 1 or 2) then
    at = tonumber(redis.call('ZRANGE', key.later(location), 0, 0, 'WITHSCORES')[2])
  end
  if until_at then
    redis.call('HSET', key.lane(location), 'blocked_until', until_at)
    at = at and math.max(at, until_at)
  end
  if at then
    redis.call('ZADD', key.due, at, location)
  else
    redis.call('ZREM', key.due, location)
  end
  if until_at then return nil end
  return ready[1]
end

-- given(worker): the job that this worker was given and never reported on, because the answer of that call was lost: a
-- worker sends one job at a time, so when it asks for another it does not know of this one. The same attempt goes out.
local function given(worker)
  local id, attempt = string.match(redis.call('GET', key.seat(worker)) or '', '^(.+):(%d+)$')
  if not id then return nil end
  local job = redis.call('HMGET', key.job(id), 'state', 'attempt', 'location', 'failures', 'accepted_at', 'released_at')
  if job[1] ~= 'in_flight' or job[2] ~= attempt then return nil end
  return { id, job[3], tonumber(attempt), tonumber(job[4]) or 0, tonumber(job[5]), tonumber(job[6]),
           redis.call('GET', key.body(id)) }
end

local function release_next(from)
  local worker = ARGV[from]
  if not worker then return {} end
  local lease, burst, window = tonumber(ARGV[from + 1]), tonumber(ARGV[from + 2]), tonumber(ARGV[from + 3])
  local daily, retention = tonumber(ARGV[from + 4]), tonumber(ARGV[from + 5])
  local lost = given(worker)
  if lost then return lost end
  for _ = 1, LANES_LOOKED_AT do
    local first = redis.call('ZRANGE', key.due, 0, 0, 'WITHSCORES')
    if not first[1] then return { '', -1 } end
    local location = first[1]
    if tonumber(first[2]) > now then return { '', tonumber(first[2]) - now } end
    local id = take_turn(location, burst, daily)
    if id then
      local job = redis.call('HMGET', key.job(id), 'expires_at', 'record', 'attempt', 'failures', 'accepted_at')
      if job[1] and tonumber(job[1]) <= now then
        expire_job(id, location, job[2], retention)
      else
        local attempt = (tonumber(job[3]) or 0) + 1
        redis.call('ZREM', key.ready(location), id)
        if job[1] then redis.call('ZREM', key.expiring, id) end
        redis.call('ZADD', key.leases, now + lease, id)
        redis.call('HSET', key.job(id), 'state', 'in_flight', 'attempt', attempt, 'released_at', now, 'worker', worker)
        charge_budget(location, id .. ':' .. attempt, now + lease + window)
        count(location, 'pending', 'in_flight')
        redis.call('SET', key.seat(worker), id .. ':' .. attempt, 'PX', math.ceil(lease / 1000))
        return { id, location, attempt, tonumber(job[4]) or 0, tonumber(job[5]), now, redis.call('GET', key.body(id)) }
      end
    end
  end
  return { '', 0 }
end
