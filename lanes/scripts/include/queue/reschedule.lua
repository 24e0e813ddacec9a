-- @include queue/schedule
-- reschedule(location): a pause of the lane ended: it is due when its first job is.
local function reschedule(location)
  if redis.call('ZCARD', key.ready(location)) > 0 then return schedule(location, now) end
  local at = redis.call('ZRANGE', key.delayed(location), 0, 0, 'WITHSCORES')[2]
  if at then schedule(location, tonumber(at)) end
end
