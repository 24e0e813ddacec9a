-- forget_jobs: removes done jobs of some locations before their time. A merged job stays while its merge target is not
-- done.
-- ARGV:
--   1 locations   JSON array
--   2.. ids of jobs
-- Returns: the location of each removed job
-- @include queue/isolate
-- @include history/read_done
local chosen, removed = {}, {}
for _, location in ipairs(cjson.decode(ARGV[1])) do chosen[location] = true end

local function forget_job(id)
  local done = read_done(id)
  if not (done and chosen[done.fields.location]) then return false end
  local target = done.fields.merged_into
  if target and redis.call('EXISTS', key.job(target)) == 1 then return false end
  redis.call('DEL', key.done(id), key.merged_jobs(id))
  return done.fields.location
end

for at = 2, #ARGV do
  local readable, location = isolate(nil, ARGV[at], forget_job, ARGV[at])
  if readable and location then removed[#removed + 1] = location end
end
return removed
