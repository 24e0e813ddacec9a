-- resume: a held lane goes on, whatever the causes of its hold, if that is the hold that was seen.
-- ARGV:
--   1 location
--   2 seen        its held_at in us (0 when there is none), or '' for any hold
-- Returns: 'resumed' | 'free' when it was not held | 'changed' when it is held, and not as it was seen
-- @include now
-- @include hold/end_hold
local hold = redis.call('HMGET', key.lane(ARGV[1]), 'hold', 'held_at')
if not hold[1] then return 'free' end
if ARGV[2] ~= '' and tonumber(hold[2] or 0) ~= tonumber(ARGV[2]) then return 'changed' end
end_hold(ARGV[1])
return 'resumed'
