-- @include rate_limit/limit_in_force
-- @lazy queue/lane_numbers
-- A lane while a script works on it: `read_lane` reads its hash once, `set` changes a field, and `write_lane` writes
-- the changes with one command. Code that reads or writes the hash itself comes after `write_lane`. What it writes is
-- not in the table, so a release behind it reads the lane again.

-- The limits of the settings, in every script that releases or reports: requests in a window, the window in us,
-- requests in a day. A limit that is not set ('' in ARGV) is nil: then the API's applies.
local limits = { burst = tonumber(ARGV[4]), window = tonumber(ARGV[5]), daily = tonumber(ARGV[6]) }

-- read_lane(location): returns the fields of the lane. Fails for a field that should hold a number and does not: with
-- another number the rate limit would not hold. `burst`, `daily` and `window` are the limits in force. `outstanding`
-- counts its requests in flight, including those of jobs that a stale success delivered. `charged` counts all requests
-- ever sent.
local function read_lane(location)
  local lane = {
    pending = 0, in_flight = 0, delivered = 0, redundant = 0, released = 0, unsent = 0, lost = 0, lost_counted = 0, api_number = 0,
    day_base = 0, day_from = 0, day_seen_at = 0, dead_letters = 0, weight = 1, turn = 0, backoff_until = 0,
    rate_limited_until = 0, throttled_until = 0, brake_probe_at = 0, shared_until = 0, pacing_until = 0,
  }
  local stored = redis.call('HGETALL', key.lane(location))
  for i = 1, #stored, 2 do
    local name, value = stored[i], tonumber(stored[i + 1])
    if value and value < 2 ^ 53 and value > -2 ^ 53 then
      lane[name] = value
    elseif lane_numbers().holds_number(name) then
      error(key.lane(location) .. ' ' .. name .. ' is no number', 0)
    else
      lane[name] = stored[i + 1]
    end
  end
  lane.location, lane.changes = location, {}
  lane.cap_burst, lane.cap_daily = lane.burst or limits.burst, lane.daily or limits.daily
  lane.burst = limit_in_force(lane.cap_burst, lane.api_burst, DEFAULT_BURST)
  lane.daily = limit_in_force(lane.cap_daily, lane.api_daily, DEFAULT_DAILY)
  lane.window = math.max(limits.window, lane.api_window or 0)
  lane.charged, lane.outstanding = lane.released - lane.unsent, lane.in_flight + lane.redundant
  return lane
end

local function set(lane, name, value)
  local changes = lane.changes
  lane[name], changes[#changes + 1], changes[#changes + 2] = value, name, value
end

local function write_lane(lane)
  if lane.changes[1] then redis.call('HSET', key.lane(lane.location), unpack(lane.changes)) end
  lane.changes = {}
end

-- move_job(lane, from, to): a job changes its state. The caller writes the lane; `reply` writes the counts of all
-- lanes, once: a release behind a delivery changes `in_flight` back. They stop nothing if they are broken (see
-- count.lua).
local moved = {}

local function move_job(lane, from, to)
  set(lane, from, lane[from] - 1)
  set(lane, to, lane[to] + 1)
  moved[from], moved[to] = (moved[from] or 0) - 1, (moved[to] or 0) + 1
end
