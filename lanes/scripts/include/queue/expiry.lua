-- @include hold/held_time
-- expiry(id, location, expires_at): returns the time from which the job must not be sent: `expires_at` plus the time
-- for which it was held since, unless it expires while held.
local function expiry(id, location, expires_at)
  local job = redis.call('HMGET', key.job(id), 'held_before', 'expires_while_held')
  local at = tonumber(expires_at) or math.huge
  if job[2] then return at end
  return at + held_time(location) - (tonumber(job[1]) or 0)
end
