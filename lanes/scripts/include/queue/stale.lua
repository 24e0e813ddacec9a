-- @include queue/activate_next
-- @include queue/end_attempt
-- stale(job, outcome, detail): true when the report of this attempt must change nothing more: the job was taken back,
-- or a stale success delivered it. In the latter case the record goes on only now, when its last request has ended.
local function stale(job, outcome, detail)
  if job.current then return false end
  if job.leased then
    end_attempt(job, outcome, detail)
    activate_next(job.location, job.record)
  end
  return true
end
