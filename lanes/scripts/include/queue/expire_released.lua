-- @include queue/expire_job
-- @include queue/expiry
-- expire_released(id, location, record, expires_at): expires a job that must not be sent any more; returns whether it
-- did.
local function expire_released(id, location, record, expires_at)
  if expiry(id, location, expires_at) > now then return false end
  expire_job(id, location, record)
  return true
end
