-- limit: a location gets budgets and a weight of its own, or the common ones again.
-- ARGV:
--   1 location
--   2 burst    requests in a window, or '' for the common limit
--   3 daily    requests in a day, or ''
--   4 weight   turns that the lane has where others have one, or ''
-- Returns: 'limited'
-- @include now
-- @include queue/reschedule
local location = ARGV[1]
redis.call('SADD', key.locations, location)
for i, name in ipairs({ 'burst', 'daily', 'weight' }) do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', key.lane(location), name)
  else
    redis.call('HSET', key.lane(location), name, ARGV[i + 1])
  end
end
-- The lane may go on earlier than was thought.
redis.call('HDEL', key.lane(location), 'rate_limited_until')
reschedule(location)
return 'limited'
