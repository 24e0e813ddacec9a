-- @include held
-- @include notice
-- hold_lane(location, reason, by): the lane releases nothing until it is resumed. Told once, however often it is held anew.
local function hold_lane(location, reason, by)
  -- The first write is one that a full Redis allows, and with it all that follow.
  redis.call('ZREM', key.due, location)
  local before = redis.call('HGET', key.lane(location), 'hold')
  redis.call('HSET', key.lane(location), 'hold', reason, 'held_by', by, 'held_at', now)
  if before then return end
  begin_held(location, held_clock())
  notify('lane_held', { location = location, by = by, reason = reason })
end
