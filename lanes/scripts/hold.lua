-- hold: holds a lane until it is resumed. A lane held for authorization keeps that cause next to a person's hold.
-- ARGV:
--   1 location
--   2 reason
--   3 by          operator, a person's name, or authorization for the stored credential
-- Returns: 'held'
-- @include now
-- @include hold/credential
-- @include hold/hold_lane
hold_lane(ARGV[1], ARGV[2], ARGV[3], credential_version(ARGV[1]))
redis.call('SADD', key.locations, ARGV[1])
return 'held'
