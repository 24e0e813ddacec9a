-- @include hold/held_time
-- expiry(id, location, expires_at): returns the time from which the job must not be sent: `expires_at` plus the time
-- for which it was held since, unless it expires while held.
local function expiry(id, location, expires_at)
  local job = redis.call('HMGET', key.job(id), 'held_before', 'expires_while_held')
  if job[2] then return tonumber(expires_at) end
  return tonumber(expires_at) + held_time(location) - (tonumber(job[1]) or 0)
end
