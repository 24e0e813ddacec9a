-- read_jobs: reads whole jobs. Read-only.
-- ARGV: ids of jobs
-- Returns: { fields and values, body or nil, attempts, original body or nil } a job; no fields for an unknown one, and
--   only the field `unreadable` for a done one whose value cannot be read
-- @include read_only
-- @include history/read_done
-- read_done_job(id): returns what is told of a done job, nil if there is none.
local function read_done_job(id)
  local readable, done = pcall(read_done, id)
  if not readable then return { { 'unreadable', 1 }, false, {}, false } end
  if not done then return nil end
  local fields = {}
  for name, value in pairs(done.fields) do fields[#fields + 1], fields[#fields + 2] = name, value end
  return { fields, false, done.lines, false }
end

local function read_job(id)
  local fields = redis.call('HGETALL', key.job(id))
  local done = #fields == 0 and read_done_job(id)
  return done or { fields, redis.call('GET', key.body(id)), redis.call('LRANGE', key.attempts(id), 0, -1),
                   redis.call('GET', key.original(id)) }
end

local jobs = {}
for _, id in ipairs(ARGV) do
  jobs[#jobs + 1] = read_job(id)
end
return answer(jobs)
