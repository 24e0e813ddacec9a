-- @include schedule
-- wake_lane(location): the lane may go on, as soon as one of its jobs may be sent.
local function wake_lane(location)
  if redis.call('ZCARD', key.ready(location)) > 0 then return schedule(location, now) end
  local at = redis.call('ZRANGE', key.later(location), 0, 0, 'WITHSCORES')[2]
  if at then schedule(location, tonumber(at)) end
end
