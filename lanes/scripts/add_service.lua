-- add_service: adds a service, or sets the quotas of one.
-- ARGV:
--   1 service
--   2 max_pending  jobs that are pending or in flight, '' for no limit
--   3 max_dead     dead letters, or ''
--   4 rate         rows in a second, or ''
--   5 outcomes     '1' when the ends of its jobs are written to its stream, else '0'
-- Returns: 'added' | 'changed'
-- @include now
local service = key.service(ARGV[1])
local answer = redis.call('HSETNX', service, 'added_at', now) == 1 and 'added' or 'changed'
local function set_quota(name, value)
  if value == '' then return redis.call('HDEL', service, name) end
  redis.call('HSET', service, name, value)
end
set_quota('max_pending', ARGV[2])
set_quota('max_dead', ARGV[3])
set_quota('rate', ARGV[4])
redis.call('HSET', service, 'outcomes', ARGV[5])
redis.call('SADD', key.services, ARGV[1])
return answer
