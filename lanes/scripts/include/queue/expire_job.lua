-- @include queue/remove_pending
-- @include dead_letter/bury_job
local function expire_job(id, location, record)
  remove_pending(location, record, id)
  bury_job(id, location, record, 'pending', 'expired')
end
