-- repair_member: removes a member that does not belong under a key; the jobs that it blocked continue. Idempotent.
-- ARGV:
--   1 name       of the key, as in check_members
--   2 location   or ''
--   3 record     or ''
--   4 member
-- Returns: 'repaired', or 'consistent' when it is valid or gone by now
-- @include now
-- @include repair/is_valid_member
-- @include repair/repair_record
local SHORT = 60000  -- ms; longer than a lease, mostly
local name, location, record, member = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if is_valid_member(name, location, record, member) then return 'consistent' end
if name == 'active' or name == 'blocked' then
  repair_record(location, record)
elseif name == 'consumer' or name == 'unservable' or name == 'token_lock' then
  redis.call('PEXPIRE', KEY_OF[name](location), SHORT)
elseif name == 'renewals' then
  redis.call('HDEL', key.renewals, record)
elseif name == 'newest_delivered' then
  redis.call('HDEL', key.newest_delivered(location), record)
else
  redis.call('ZREM', KEY_OF[name](location), member)
end
return 'repaired'
