-- mark_unservable: a worker cannot use the stored tokens of these locations; or cannot use them still, and is alive.
-- ARGV:
--   1 worker
--   2 ttl      ms for which this holds unless it is said again
--   3.. locations
-- Returns: how many of them are new
local name = key.unservable(ARGV[1])
-- The first write is one that a full Redis allows, and with it all that follow: else its jobs would go out and come back for ever.
redis.call('SREM', name, '')
local new = 0
for at = 3, #ARGV do new = new + redis.call('SADD', name, ARGV[at]) end
redis.call('PEXPIRE', name, ARGV[2])
return new
