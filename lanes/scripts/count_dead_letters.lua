-- count_dead_letters: where some dead letters belong. Changes nothing.
-- ARGV: ids of jobs
-- Returns: in turn the location and the state of each that there is
local found = {}
for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', key.job(id), 'location', 'state')
  if job[1] and job[2] and redis.call('ZSCORE', key.dead, id) then
    found[#found + 1] = job[1]
    found[#found + 1] = job[2]
  end
end
return found
