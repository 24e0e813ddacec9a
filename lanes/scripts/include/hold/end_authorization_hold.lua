-- @include hold/credential
-- @include hold/end_hold
-- end_authorization_hold(location): removes authorization as a cause of the hold, if another credential is stored than
-- the refused one. A person's hold stays. Returns whether authorization is no cause now.
local function end_authorization_hold(location)
  local lane = redis.call('HMGET', key.lane(location), 'held_by', 'unauthorized')
  if not lane[2] then return true end
  if string.match(lane[2], '^%d*') == credential_version(location) then return false end
  if lane[1] == 'authorization' then
    end_hold(location)
  else
    redis.call('HDEL', key.lane(location), 'unauthorized')
  end
  return true
end
