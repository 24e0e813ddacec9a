-- resume_all: the hold of everything is over, if it is the one that was seen. Lanes that are held on their own stay so, and an outage
-- goes on.
-- ARGV:
--   1 seen     its held_at in us (0 when there is none), or '' for any hold
-- Returns: 'resumed' | 'free' when not everything was held | 'changed' when everything is held, and not as it was seen
-- @include now
-- @include breaker/global_state
local hold = redis.call('HMGET', key.global_state, 'hold', 'held_at')
if not hold[1] then return 'free' end
if ARGV[1] ~= '' and tonumber(hold[2] or 0) ~= tonumber(ARGV[1]) then return 'changed' end
redis.call('HDEL', key.global_state, 'hold', 'held_by', 'held_at')
update_global_state()
return 'resumed'
