-- @include held
-- @include notice
-- hold_lane(location, reason, by): the lane releases nothing until it is resumed. Told once, however often it is held anew.
local function hold_lane(location, reason, by)
  local before = redis.call('HGET', key.lane(location), 'hold')
  redis.call('HSET', key.lane(location), 'hold', reason, 'held_by', by, 'held_at', now)
  redis.call('ZREM', key.due, location)
  if before then return end
  begin_held(location, held_clock())
  notify('lane_held', { location = location, by = by, reason = reason })
end
