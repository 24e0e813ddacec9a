-- hold_all: no lane releases anything until all are resumed.
-- ARGV:
--   1 reason
--   2 by       a person's name, or operator
-- Returns: 'held'
-- @include now
-- @include gate
-- @include notice
local before = redis.call('HGET', key.gate, 'hold')
redis.call('HSET', key.gate, 'hold', ARGV[1], 'held_by', ARGV[2], 'held_at', now)
set_gate()
if not before then notify('all_held', { by = ARGV[2], reason = ARGV[1] }) end
return 'held'
