-- @include limits
-- read_lane(location): what stands in the lane, its own limits among it: those that were set for the location, else `limits`,
-- and never more than the API itself allows, as far as it told.
local function read_lane(location)
  local lane = redis.call('HMGET', key.lane(location), 'hold', 'paused_until', 'blocked_until', 'burst', 'daily', 'weight',
    'turn', 'released', 'day_base', 'day_quarter', 'day_resets_at', 'api_burst', 'api_window', 'api_daily', 'shared_since',
    'shared_until', 'paced_until', 'letters', 'gap', 'gap_at', 'in_flight', 'throttled_until', 'refused_run', 'brake_at',
    'brake_probe_at')
  local api_burst, api_window, api_daily = tonumber(lane[12]), tonumber(lane[13]), tonumber(lane[14])
  return {
    location = location, held = lane[1], paused_until = tonumber(lane[2]) or 0, blocked_until = tonumber(lane[3]) or 0,
    burst = math.min(tonumber(lane[4]) or limits.burst, api_burst or math.huge),
    window = math.max(limits.window, api_window or 0),
    daily = math.min(tonumber(lane[5]) or limits.daily, api_daily or math.huge),
    weight = tonumber(lane[6]) or 1, turn = tonumber(lane[7]) or 0, released = tonumber(lane[8]) or 0,
    day_base = tonumber(lane[9]) or 0, day_quarter = tonumber(lane[10]), day_resets_at = tonumber(lane[11]),
    api_burst = api_burst, api_window = api_window, api_daily = api_daily,
    shared_since = tonumber(lane[15]), shared_until = tonumber(lane[16]) or 0,
    paced_until = tonumber(lane[17]) or 0, letters = tonumber(lane[18]) or 0, gap = tonumber(lane[19]),
    gap_at = tonumber(lane[20]), in_flight = tonumber(lane[21]) or 0, throttled_until = tonumber(lane[22]) or 0,
    refused_run = tonumber(lane[23]), brake_at = tonumber(lane[24]), brake_probe_at = tonumber(lane[25]) or 0,
  }
end
