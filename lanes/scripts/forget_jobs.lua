-- forget_jobs: removes done jobs of some locations before their time. A merged job stays while its merge target is not
-- done.
-- ARGV:
--   1 locations   JSON array
--   2.. ids of jobs
-- Returns: the location of each removed job
-- @include queue/isolate
local chosen, removed = {}, {}
for _, location in ipairs(cjson.decode(ARGV[1])) do chosen[location] = true end

local DONE = { delivered = true, cancelled = true, merged = true }

local function forget_job(id)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'merged_into')
  if not (chosen[job[2]] and DONE[job[1]]) then return false end
  if redis.call('ZSCORE', key.leases, id) then return false end
  local target = job[3] and redis.call('HGET', key.job(job[3]), 'state')
  if target and not DONE[target] then return false end
  redis.call('DEL', key.job(id), key.body(id), key.original(id), key.attempts(id), key.merged_jobs(id))
  return job[2]
end

for at = 2, #ARGV do
  local readable, location = isolate(nil, ARGV[at], forget_job, ARGV[at])
  if readable and location then removed[#removed + 1] = location end
end
return removed
