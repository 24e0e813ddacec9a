-- resume_all: ends the hold of all lanes. Lanes with their own hold stay held, and an outage continues.
-- ARGV:
--   1 seen     held_at of the hold to end, in us (0 for none), or '' for any hold
-- Returns: 'resumed' | 'free' when all lanes were not held | 'changed' when it is another hold
-- @include now
-- @include breaker/global_state
local hold = redis.call('HMGET', key.global_state, 'hold', 'held_at')
if not hold[1] then return 'free' end
if ARGV[1] ~= '' and tonumber(hold[2] or 0) ~= tonumber(ARGV[1]) then return 'changed' end
redis.call('HDEL', key.global_state, 'hold', 'held_by', 'held_at')
update_global_state()
return 'resumed'
