-- @include rate_limit/limit_in_force
-- The limits of the settings, in every script that releases or reports: requests in a window, the window in us,
-- requests in a day. A limit that is not set ('' in ARGV) is nil: then the API's applies.
local limits = { burst = tonumber(ARGV[4]), window = tonumber(ARGV[5]), daily = tonumber(ARGV[6]) }

local LANE_FIELDS = { 'hold', 'backoff_until', 'rate_limited_until', 'burst', 'daily', 'weight', 'turn', 'released', 'day_base',
  'day_quarter', 'day_resets_at', 'api_burst', 'api_window', 'api_daily', 'shared_since', 'shared_until', 'pacing_until',
  'dead_letters', 'gap', 'gap_at', 'in_flight', 'api_number', 'api_raise', 'day_seen', 'day_seen_at', 'day_from', 'lost',
  'lost_counted', 'unsent', 'redundant', 'throttled_until', 'refused_run', 'brake_at', 'brake_probe_at' }
local LANE_TEXTS = { hold = true, api_raise = true }

-- read_lane(location): returns the fields of the lane and the limits in force. Fails for a field that should hold a
-- number and does not: with another number the rate limit would not hold. `outstanding` counts its requests in flight,
-- including those of jobs that a stale success delivered. `charged` counts all requests ever sent.
local function read_lane(location)
  local lane = redis.call('HMGET', key.lane(location), unpack(LANE_FIELDS))
  for i, value in ipairs(lane) do
    local number = LANE_TEXTS[LANE_FIELDS[i]] and 0 or tonumber(value or 0)
    if not (number and math.abs(number) < 2 ^ 53) then
      error(key.lane(location) .. ' ' .. LANE_FIELDS[i] .. ' is no number', 0)
    end
  end
  local api_burst, api_window, api_daily = tonumber(lane[12]), tonumber(lane[13]), tonumber(lane[14])
  local cap_burst, cap_daily = tonumber(lane[4]) or limits.burst, tonumber(lane[5]) or limits.daily
  local released, in_flight = tonumber(lane[8]) or 0, tonumber(lane[21]) or 0
  return {
    location = location, held = lane[1], backoff_until = tonumber(lane[2]) or 0, rate_limited_until = tonumber(lane[3]) or 0,
    cap_burst = cap_burst, cap_daily = cap_daily, burst = limit_in_force(cap_burst, api_burst, DEFAULT_BURST),
    window = math.max(limits.window, api_window or 0), daily = limit_in_force(cap_daily, api_daily, DEFAULT_DAILY),
    weight = tonumber(lane[6]) or 1, turn = tonumber(lane[7]) or 0, released = released,
    day_base = tonumber(lane[9]) or 0, day_quarter = tonumber(lane[10]), day_resets_at = tonumber(lane[11]),
    api_burst = api_burst, api_window = api_window, api_daily = api_daily,
    shared_since = tonumber(lane[15]), shared_until = tonumber(lane[16]) or 0,
    pacing_until = tonumber(lane[17]) or 0, dead_letters = tonumber(lane[18]) or 0, gap = tonumber(lane[19]),
    gap_at = tonumber(lane[20]), in_flight = in_flight, api_number = tonumber(lane[22]) or 0, api_raise = lane[23],
    day_seen = tonumber(lane[24]), day_seen_at = tonumber(lane[25]) or 0, day_from = tonumber(lane[26]) or 0,
    lost = tonumber(lane[27]) or 0, lost_counted = tonumber(lane[28]) or 0,
    charged = released - (tonumber(lane[29]) or 0), outstanding = in_flight + (tonumber(lane[30]) or 0),
    throttled_until = tonumber(lane[31]) or 0, refused_run = tonumber(lane[32]), brake_at = tonumber(lane[33]),
    brake_probe_at = tonumber(lane[34]) or 0,
  }
end
