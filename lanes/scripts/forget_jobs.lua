-- forget_jobs: removes done jobs of some locations before their time, and the jobs merged into them. One that was
-- accepted a moment ago stays: a retried enqueue must find it.
-- ARGV:
--   1 locations   JSON array
--   2 min_age     us since its acceptance for which a job stays
--   3.. ids of jobs
-- Returns: { the location of each removed job; the location of each job that is too young }
-- @include now
-- @include queue/isolate
-- @include history/forget
local chosen, removed, young = {}, {}, {}
for _, location in ipairs(cjson.decode(ARGV[1])) do chosen[location] = true end

local function forget_job(id)
  local done = read_done(id)
  if not (done and chosen[done.fields.location]) then return end
  local location, target = done.fields.location, done.fields.merged_into
  if target and redis.call('EXISTS', key.job(target), key.done(target)) > 0 then return end  -- goes with its target
  local jobs = forget(id, done.fields, done.fields.accepted_at, now - tonumber(ARGV[2]))
  if not jobs then young[#young + 1] = location end
  for _ = 1, jobs or 0 do removed[#removed + 1] = location end
end

for at = 3, #ARGV do isolate(nil, ARGV[at], forget_job, ARGV[at]) end
return { removed, young }
