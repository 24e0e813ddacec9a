-- @include hold/held_time
-- @include queue/notify
-- The hold of a lane. `hold`, `held_by` and `held_at` tell why, by whom and since when: a person, where one holds it, else
-- authorization. `unauthorized` stands there while authorization is a cause, alone or beside a person: the version of the refused
-- credential, a space, and why. `held_at` identifies the hold when it is ended, so no two holds have the same.
local AUTHORIZATION = 'authorization'

-- hold_lane(location, reason, by, version): the lane releases nothing until it is resumed. `version` is that of the credential
-- that was refused, when it is held by authorization. There is a notice of each cause, once, however often it is held again.
local function hold_lane(location, reason, by, version)
  -- The first write is one that a full Redis allows, and with it all that follow.
  redis.call('ZREM', key.due, location)
  local name, refused = key.lane(location), by == AUTHORIZATION
  local before = redis.call('HMGET', name, 'hold', 'held_by', 'held_at', 'unauthorized')
  local held_at = (tonumber(before[3]) or 0) + 1
  if refused then redis.call('HSET', name, 'unauthorized', version .. ' ' .. reason) end
  if refused and before[1] and before[2] ~= AUTHORIZATION then
    redis.call('HSET', name, 'held_at', held_at)
  else
    redis.call('HSET', name, 'hold', reason, 'held_by', by, 'held_at', math.max(now, held_at))
  end
  if not before[1] then begin_held(location, held_clock()) end
  if not before[1] or (refused and not before[4]) then
    notify('lane_held', { location = location, by = by, reason = reason })
  end
end
