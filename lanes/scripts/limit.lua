-- limit: sets or removes the limits and the weight of a location.
-- ARGV:
--   1 location
--   2 burst    requests in a window, or '' for the default
--   3 daily    requests in a day, or ''
--   4 weight   how often the lane goes in a row, or ''
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
-- The lane may be due earlier now.
redis.call('HDEL', key.lane(location), 'rate_limited_until')
reschedule(location)
return 'limited'
