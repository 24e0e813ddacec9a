-- @include held
-- @include go_on
-- end_hold(location): the lane is not held any more, for whatever cause, and goes on.
local function end_hold(location)
  redis.call('HDEL', key.lane(location), 'hold', 'held_by', 'held_at', 'unauthorized')
  end_held(location, held_clock())
  go_on(location)
end
