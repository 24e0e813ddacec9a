-- @include queue/due
-- schedule(location, at): the lane is due from `at` on, later if paused or limited, not at all if held.
local function schedule(location, at)
  local due_at = due_from(at, unpack(redis.call('HMGET', key.lane(location), unpack(PAUSES))))
  if due_at then make_due({ due_at, location }) end
end
