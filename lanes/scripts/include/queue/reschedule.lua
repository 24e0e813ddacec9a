-- @include queue/schedule
-- reschedule(location): what kept the lane from going on is over: it may release the first of its jobs when that may be sent.
local function reschedule(location)
  if redis.call('ZCARD', key.ready(location)) > 0 then return schedule(location, now) end
  local at = redis.call('ZRANGE', key.delayed(location), 0, 0, 'WITHSCORES')[2]
  if at then schedule(location, tonumber(at)) end
end
