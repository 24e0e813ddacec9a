-- hold: a lane releases nothing more until it is resumed. One that authorization holds keeps that cause beside a person's.
-- ARGV:
--   1 location
--   2 reason
--   3 by          operator, or a person's name; or authorization: for the credential that stands there
-- Returns: 'held'
-- @include now
-- @include hold/credential
-- @include hold/hold_lane
hold_lane(ARGV[1], ARGV[2], ARGV[3], credential_version(ARGV[1]))
redis.call('SADD', key.locations, ARGV[1])
return 'held'
