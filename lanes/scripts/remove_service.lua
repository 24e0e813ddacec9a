-- remove_service: removes a service with its keys, quotas and outcomes. Its jobs stay; while some of them carry
-- `counted`, so do its counters.
-- ARGV:
--   1 service
-- Returns: 'removed' | 'unknown'
local service = key.service(ARGV[1])
local stored = redis.call('HMGET', service, 'added_at', 'key_1', 'key_2', 'pending', 'dead')
if not stored[1] and redis.call('SISMEMBER', key.services, ARGV[1]) == 0 then return 'unknown' end
for i = 2, 3 do
  if stored[i] then redis.call('HDEL', key.service_keys, string.match(stored[i], '^%x*')) end
end
redis.call('SREM', key.services, ARGV[1])
redis.call('DEL', key.outcomes(ARGV[1]))
if tonumber(stored[4] or 0) == 0 and tonumber(stored[5] or 0) == 0 then
  redis.call('DEL', service)
else
  redis.call('HDEL', service, 'added_at', 'max_pending', 'max_dead', 'rate', 'outcomes', 'next_at', 'refused', 'key_1',
    'key_2', 'outcomes_unread', 'unread_by', 'unread_noticed', 'unread_noticed_at', 'trimmed_to')
end
return 'removed'
