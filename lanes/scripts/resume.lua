-- resume: a held lane goes on.
-- ARGV:
--   1 location
-- Returns: 'resumed' | 'free', the latter when it was not held
-- @include now
-- @include held
-- @include go_on
local location = ARGV[1]
if redis.call('HDEL', key.lane(location), 'hold', 'held_by', 'held_at') == 0 then return 'free' end
if not redis.call('HGET', key.lane(location), 'brake_at') then end_held(location, held_clock()) end
go_on(location)
return 'resumed'
