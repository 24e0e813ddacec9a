-- @include hold/held_time
-- @include queue/notify
-- The hold of a lane. `hold`, `held_by` and `held_at` are the reason, the person (or authorization if no person holds
-- it) and the time. `unauthorized` is set while authorization is a cause: the version of the refused credential, a
-- space, the reason. `held_at` is unique: it identifies the hold to resume.
local AUTHORIZATION = 'authorization'

-- hold_lane(location, reason, by, version): holds the lane until it is resumed. `version` is the refused credential's,
-- for authorization. Notifies once for each cause.
local function hold_lane(location, reason, by, version)
  -- A full Redis allows ZREM, and then all later writes.
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
