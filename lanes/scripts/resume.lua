-- resume: a held lane goes on.
-- ARGV:
--   1 location
-- Returns: 'resumed' | 'free', the latter when it was not held
-- @include now
-- @include schedule
local location = ARGV[1]
if redis.call('HDEL', key.lane(location), 'hold', 'held_by', 'held_at') == 0 then return 'free' end
if redis.call('ZCARD', key.ready(location)) > 0 then
  schedule(location, now)
else
  local at = redis.call('ZRANGE', key.later(location), 0, 0, 'WITHSCORES')[2]
  if at then schedule(location, tonumber(at)) end
end
return 'resumed'
