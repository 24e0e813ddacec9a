-- @include now
-- @include queue/reschedule
-- reset_api_limits(location): the token was replaced: forgets the API's limits for the old token and the pause of a
-- 429, which may last a day. Requests in flight still use the old token.
local function reset_api_limits(location)
  local name = key.lane(location)
  if redis.call('EXISTS', name) == 0 then return end
  redis.call('HDEL', name, 'api_burst', 'api_window', 'api_daily', 'api_raise')
  local lane = redis.call('HMGET', name, 'released', 'rate_limited_until', 'throttled_until')
  redis.call('HSET', name, 'api_number', lane[1] or 0)
  if math.max(tonumber(lane[2]) or 0, tonumber(lane[3]) or 0) <= now then return end
  redis.call('HDEL', name, 'rate_limited_until', 'throttled_until')
  reschedule(location)
end
