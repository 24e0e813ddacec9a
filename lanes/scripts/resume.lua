-- resume: ends the hold of a lane, for any cause.
-- ARGV:
--   1 location
--   2 seen        held_at of the hold to end, in us (0 for none), or '' for any hold
-- Returns: 'resumed' | 'free' when it was not held | 'changed' when it is another hold
-- @include now
-- @include hold/end_hold
local hold = redis.call('HMGET', key.lane(ARGV[1]), 'hold', 'held_at')
if not hold[1] then return 'free' end
if ARGV[2] ~= '' and tonumber(hold[2] or 0) ~= tonumber(ARGV[2]) then return 'changed' end
end_hold(ARGV[1])
return 'resumed'
