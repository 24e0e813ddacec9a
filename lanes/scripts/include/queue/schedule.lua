-- schedule(location, at): the lane may release a job from `at` on, unless it is held, waits or its budget is spent. Never
-- moves a lane back: whoever waits keeps its turn, and a release that comes too early looks again. Wakes the dispatchers
-- when this lane is now the first of all.
local function schedule(location, at)
  local lane = redis.call('HMGET', key.lane(location), 'hold', 'backoff_until', 'rate_limited_until', 'throttled_until',
    'brake_probe_at')
  if lane[1] then return end
  at = math.max(at, now, tonumber(lane[2]) or 0, tonumber(lane[3]) or 0, tonumber(lane[4]) or 0, tonumber(lane[5]) or 0)
  local first = redis.call('ZRANGE', key.due, 0, 0, 'WITHSCORES')
  redis.call('ZADD', key.due, 'LT', at, location)
  if not first[2] or at < tonumber(first[2]) then redis.call('PUBLISH', key.wake, '') end
end
