-- read_jobs: reads whole jobs. Read-only.
-- ARGV: ids of jobs
-- Returns: { fields and values, body or nil, attempts, original body or nil } a job; no fields for an unknown one
-- @include read_only
local jobs = {}
for _, id in ipairs(ARGV) do
  jobs[#jobs + 1] = { redis.call('HGETALL', key.job(id)), redis.call('GET', key.body(id)),
                      redis.call('LRANGE', key.attempts(id), 0, -1), redis.call('GET', key.original(id)) }
end
return answer(jobs)
