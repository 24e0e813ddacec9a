-- remove_outcome_group: removes a consumer group of a service's outcomes. The outcomes stay.
-- ARGV:
--   1 service
--   2 group
-- Returns: 'removed' | 'unknown'
local stream = key.outcomes(ARGV[1])
local removed = redis.call('EXISTS', stream) == 1 and redis.call('XGROUP', 'DESTROY', stream, ARGV[2])
return removed == 1 and 'removed' or 'unknown'
