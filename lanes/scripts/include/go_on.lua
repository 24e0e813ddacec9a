-- @include schedule
-- go_on(location): the lane, which may have waited for something else, is due when its first job is.
local function go_on(location)
  local at = now
  if redis.call('ZCARD', key.ready(location)) == 0 then
    at = tonumber(redis.call('ZRANGE', key.later(location), 0, 0, 'WITHSCORES')[2])
  end
  if at then schedule(location, at) end
end
