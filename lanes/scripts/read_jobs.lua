-- read_jobs: reads whole jobs. Read-only.
-- ARGV: ids of jobs
-- Returns: { fields and values, body or nil, attempts, original body or nil } a job; no fields for an unknown one, and
--   only the field `unreadable` for a done one whose value cannot be read
-- @include read_only
-- @include history/read_done
local function read_done_job(id)
  local readable, done = pcall(read_done, id)
  if not readable then return { { 'unreadable', 1 }, false, {}, false } end
  local fields = {}
  for name, value in pairs(done and done.fields or {}) do fields[#fields + 1], fields[#fields + 2] = name, value end
  return { fields, false, done and done.lines or {}, false }
end

local function read_job(id)
  local fields = redis.call('HGETALL', key.job(id))
  if #fields == 0 then return read_done_job(id) end
  return { fields, redis.call('GET', key.body(id)), redis.call('LRANGE', key.attempts(id), 0, -1),
           redis.call('GET', key.original(id)) }
end

local jobs = {}
for _, id in ipairs(ARGV) do
  jobs[#jobs + 1] = read_job(id)
end
return answer(jobs)
