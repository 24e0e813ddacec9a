-- mend_member: what stands where it does not belong goes; the jobs behind it go on. Again changes nothing.
-- ARGV:
--   1 name       of the key, as audit_members has it
--   2 location   or ''
--   3 record     or ''
--   4 member     what stands there
-- Returns: 'mended', or 'sound' when it belongs there by now, or is gone
-- @include now
-- @include belongs
-- @include mend_record
local SHORT = 60000  -- ms; longer than a lease, mostly
local name, location, record, member = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if belongs(name, location, record, member) then return 'sound' end
if name == 'heads' or name == 'behind' then
  mend_record(location, record)
elseif name == 'seat' or name == 'unservable' or name == 'token_lock' then
  redis.call('PEXPIRE', key[name](location), SHORT)
elseif name == 'renewals' then
  redis.call('HDEL', key.renewals, record)
elseif name == 'newest' then
  redis.call('HDEL', key.newest(location), record)
elseif name == 'leases' or name == 'expiring' or name == 'dead' then
  redis.call('ZREM', key[name], member)
else
  redis.call('ZREM', key[name](location), member)
end
return 'mended'
