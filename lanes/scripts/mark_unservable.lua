-- mark_unservable: the worker cannot use the stored tokens of these locations. It repeats this while it is alive.
-- ARGV:
--   1 worker
--   2 ttl      ms
--   3.. locations
-- Returns: number of new locations
local name = key.unservable(ARGV[1])
-- A full Redis allows SREM, and then all later writes: else its jobs would be released and requeued endlessly.
redis.call('SREM', name, '')
local new = 0
for at = 3, #ARGV do new = new + redis.call('SADD', name, ARGV[at]) end
redis.call('PEXPIRE', name, ARGV[2])
return new
