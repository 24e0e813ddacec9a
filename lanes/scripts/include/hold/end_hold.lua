-- @include hold/held_time
-- @include queue/reschedule
-- end_hold(location): the lane is not held any more, for whatever cause, and goes on; its brake, if it is on one, stays.
local function end_hold(location)
  redis.call('HDEL', key.lane(location), 'hold', 'held_by', 'held_at', 'unauthorized')
  if redis.call('HEXISTS', key.lane(location), 'brake_at') == 0 then end_held(location, held_clock()) end
  reschedule(location)
end
