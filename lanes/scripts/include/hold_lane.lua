-- hold_lane(location, reason, by): the lane releases nothing until it is resumed.
local function hold_lane(location, reason, by)
  -- The first write is one that a full Redis allows, and with it all that follow.
  redis.call('ZREM', key.due, location)
  redis.call('HSET', key.lane(location), 'hold', reason, 'held_by', by, 'held_at', now)
end
