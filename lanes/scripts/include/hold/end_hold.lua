-- @include hold/held_time
-- @include queue/reschedule
-- end_hold(location): resumes the lane from a hold of any cause. A brake stays.
local function end_hold(location)
  redis.call('HDEL', key.lane(location), 'hold', 'held_by', 'held_at', 'unauthorized')
  if redis.call('HEXISTS', key.lane(location), 'brake_at') == 0 then end_held(location, held_clock()) end
  reschedule(location)
end
