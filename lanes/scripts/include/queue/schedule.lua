-- schedule(location, at): the lane is due from `at` on, later if paused or limited, not at all if held. Never
-- postpones; a release that is too early does. Wakes the dispatchers when this lane is now the first.
local function schedule(location, at)
  local lane = redis.call('HMGET', key.lane(location), 'hold', 'backoff_until', 'rate_limited_until', 'throttled_until',
    'brake_probe_at')
  if lane[1] then return end
  at = math.max(at, now, tonumber(lane[2]) or 0, tonumber(lane[3]) or 0, tonumber(lane[4]) or 0, tonumber(lane[5]) or 0)
  local first = redis.call('ZRANGE', key.due, 0, 0, 'WITHSCORES')
  redis.call('ZADD', key.due, 'LT', at, location)
  if not first[2] or at < tonumber(first[2]) then redis.call('PUBLISH', key.wake, '') end
end
