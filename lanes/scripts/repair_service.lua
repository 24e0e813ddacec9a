-- repair_service: lists a service, and corrects its counters, unless they changed since they were read. A service that
-- was removed ends when it counts no job.
-- ARGV:
--   1 service
--   2 moves     as it was read, '' for none
--   3 pending   correct counters
--   4 dead
-- Returns: 'repaired', or 'changed' when its jobs moved since
-- @include now
local service = key.service(ARGV[1])
if (redis.call('HGET', service, 'moves') or '') ~= ARGV[2] then return 'changed' end
local listed = redis.call('SISMEMBER', key.services, ARGV[1]) == 1
if listed then
  redis.call('HSETNX', service, 'added_at', now)
  redis.call('HSETNX', service, 'outcomes', 1)
elseif redis.call('HEXISTS', service, 'added_at') == 1 then
  redis.call('SADD', key.services, ARGV[1])
elseif tonumber(ARGV[3]) == 0 and tonumber(ARGV[4]) == 0 then
  redis.call('DEL', service)
  return 'repaired'
end
redis.call('HSET', service, 'pending', ARGV[3], 'dead', ARGV[4])
return 'repaired'
