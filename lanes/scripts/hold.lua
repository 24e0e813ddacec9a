-- hold: a lane releases nothing more until it is resumed.
-- ARGV:
--   1 location
--   2 reason
--   3 by          operator | authorization | outage, or a person's name
-- Returns: 'held'
-- @include now
-- @include hold_lane
hold_lane(ARGV[1], ARGV[2], ARGV[3])
redis.call('SADD', key.locations, ARGV[1])
return 'held'
