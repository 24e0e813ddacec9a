-- read_jobs: jobs as they stand, each whole. Changes nothing.
-- ARGV: ids of jobs
-- Returns: { fields and values, body or nil, attempts, body before it was edited or nil } a job; no fields for one that is not there
local jobs = {}
for _, id in ipairs(ARGV) do
  jobs[#jobs + 1] = { redis.call('HGETALL', key.job(id)), redis.call('GET', key.body(id)),
                      redis.call('LRANGE', key.attempts(id), 0, -1), redis.call('GET', key.original(id)) }
end
return jobs
