-- @include withdraw
-- @include kill_job
-- expire_job(id, location, record): a pending job whose time is over leaves its lane unsent.
local function expire_job(id, location, record)
  withdraw(location, record, id)
  kill_job(id, location, record, 'pending', 'expired')
end
