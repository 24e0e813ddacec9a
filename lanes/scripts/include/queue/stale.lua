-- @include queue/activate_next
-- @include queue/end_attempt
-- @include history/end_job
-- stale(job, outcome, detail): returns true when the report must change nothing more: the job was reclaimed, or a stale
-- success delivered it. In the second case its record continues, and its keys end, only now.
local function stale(job, outcome, detail)
  if job.current then return false end
  if job.leased then
    end_attempt(job, outcome, detail)
    activate_next(job.location, job.record)
    if job.state == 'delivered' then end_job(job.id, {}) end
  end
  return true
end
