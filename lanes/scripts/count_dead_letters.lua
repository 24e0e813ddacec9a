-- count_dead_letters: finds location and state of dead letters. Read-only.
-- ARGV: ids of jobs
-- Returns: location and state of each that exists
-- @include read_only
local found = {}
for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', key.job(id), 'location', 'state')
  if job[1] and job[2] and redis.call('ZSCORE', key.dead, id) then
    found[#found + 1], found[#found + 2] = job[1], job[2]
  end
end
return answer(found)
