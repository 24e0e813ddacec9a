-- hold_all: holds all lanes until all are resumed.
-- ARGV:
--   1 reason
--   2 by       a person's name, or operator
-- Returns: 'held'
-- @include now
-- @include breaker/global_state
-- @include queue/notify
local before = redis.call('HMGET', key.global_state, 'hold', 'held_at')
-- held_at identifies the hold, so it is unique.
local held_at = math.max(now, (tonumber(before[2]) or 0) + 1)
redis.call('HSET', key.global_state, 'hold', ARGV[1], 'held_by', ARGV[2], 'held_at', held_at)
update_global_state()
if not before[1] then notify('all_held', { by = ARGV[2], reason = ARGV[1] }) end
return 'held'
