-- repair_key: renames a key that has another Redis type than it should have, or that nothing can read. So nothing is
-- lost, and the key is free. Idempotent.
-- ARGV:
--   1 key
--   2 name       the key without the prefix
--   3 expected   the type that it should have, or '' to rename it in any case
-- Returns: 'repaired', or 'consistent' when it has the type by now or is gone
-- @include now
local found = redis.call('TYPE', ARGV[1]).ok
if found == 'none' or found == ARGV[3] then return 'consistent' end
local at = string.format('%.0f', now)
local kept = key.broken_key(at, ARGV[2])
redis.call('RENAME', ARGV[1], kept)
redis.call('PERSIST', kept)
return 'repaired'
