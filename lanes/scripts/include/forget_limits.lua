-- @include now
-- @include go_on
-- forget_limits(location): what the API told of the location's limits was told of a token that is no more: the default holds until it
-- tells anew. What is out by now tells of the old one.
local function forget_limits(location)
  local name = key.lane(location)
  if redis.call('EXISTS', name) == 0 then return end
  redis.call('HDEL', name, 'api_burst', 'api_window', 'api_daily', 'api_raise')
  local lane = redis.call('HMGET', name, 'released', 'blocked_until')
  redis.call('HSET', name, 'api_number', lane[1] or 0)
  if (tonumber(lane[2]) or 0) <= now then return end
  redis.call('HDEL', name, 'blocked_until')
  go_on(location)
end
