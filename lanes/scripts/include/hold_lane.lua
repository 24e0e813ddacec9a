-- hold_lane(location, reason, by): the lane releases nothing until it is resumed.
local function hold_lane(location, reason, by)
  redis.call('HSET', key.lane(location), 'hold', reason, 'held_by', by, 'held_at', now)
  redis.call('ZREM', key.due, location)
end
