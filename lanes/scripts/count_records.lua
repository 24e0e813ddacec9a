-- count_records: counts the jobs of some records of a lane. Read-only.
-- ARGV:
--   1 location
--   2.. records
-- Returns: { pending, in flight }
-- @include read_only
local pending, in_flight = 0, 0
for at = 2, #ARGV do
  local id = redis.call('HGET', key.active(ARGV[1]), ARGV[at]) or ''
  local state = redis.call('HGET', key.job(id), 'state')
  if state == 'pending' then pending = pending + 1 end
  if state == 'in_flight' then in_flight = in_flight + 1 end
  pending = pending + redis.call('LLEN', key.blocked(ARGV[1], ARGV[at]))
end
return answer({ pending, in_flight })
