-- repair_member: what stands where it does not belong goes; the jobs behind it go on. Again changes nothing.
-- ARGV:
--   1 name       of the key, as check_members has it
--   2 location   or ''
--   3 record     or ''
--   4 member     what stands there
-- Returns: 'repaired', or 'consistent' when it belongs there by now, or is gone
-- @include now
-- @include repair/is_valid_member
-- @include repair/repair_record
local SHORT = 60000  -- ms; longer than a lease, mostly
local name, location, record, member = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if is_valid_member(name, location, record, member) then return 'consistent' end
if name == 'active' or name == 'blocked' then
  repair_record(location, record)
elseif name == 'consumer' or name == 'unservable' or name == 'token_lock' then
  redis.call('PEXPIRE', key[name](location), SHORT)
elseif name == 'renewals' then
  redis.call('HDEL', key.renewals, record)
elseif name == 'newest_delivered' then
  redis.call('HDEL', key.newest_delivered(location), record)
elseif name == 'leases' or name == 'expiring' or name == 'dead' then
  redis.call('ZREM', key[name], member)
else
  redis.call('ZREM', key[name](location), member)
end
return 'repaired'
