-- repair_value: moves a value that nothing can read to `broken_values`. Idempotent.
-- ARGV:
--   1 key
--   2 name     the key without the prefix
--   3 field    of a hash; '' for a line of a list
--   4 value    as it was read: another one stays
-- Returns: 'repaired', or 'changed' when it is another value by now
local is_list = redis.call('TYPE', ARGV[1]).ok == 'list'
local found
if is_list then
  found = redis.call('LPOS', ARGV[1], ARGV[4])
else
  found = redis.call('HGET', ARGV[1], ARGV[3]) == ARGV[4]
end
if not found then return 'changed' end
-- It is kept before it is removed, and beside others of the same name: Redis does not undo a script that fails.
local kept = ARGV[2] .. ' ' .. ARGV[3]
if redis.call('HSETNX', key.broken_values, kept, ARGV[4]) == 0 then
  redis.call('HSET', key.broken_values, kept .. ' ' .. redis.sha1hex(ARGV[4]), ARGV[4])
end
if is_list then
  redis.call('LREM', ARGV[1], 1, ARGV[4])
else
  redis.call('HDEL', ARGV[1], ARGV[3])
end
return 'repaired'
