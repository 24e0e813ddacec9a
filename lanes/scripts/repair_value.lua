-- repair_value: removes a value that nothing can read, and keeps it in `broken_values`. Idempotent.
-- ARGV:
--   1 key
--   2 name     the key without the prefix
--   3 field    of a hash; '' for a line of a list
--   4 value    as it was read: another one stays
-- Returns: 'repaired', or 'changed' when it is another value by now
local found
local is_list = redis.call('TYPE', ARGV[1]).ok == 'list'
if is_list then
  found = redis.call('LREM', ARGV[1], 1, ARGV[4]) == 1
else
  found = redis.call('HGET', ARGV[1], ARGV[3]) == ARGV[4]
end
if not found then return 'changed' end
redis.call('HSET', key.broken_values, ARGV[2] .. ' ' .. ARGV[3], ARGV[4])
if not is_list then redis.call('HDEL', ARGV[1], ARGV[3]) end
return 'repaired'
