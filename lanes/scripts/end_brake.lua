-- end_brake: a person ends the brake of a lane, or of all lanes. A hold stays.
-- ARGV:
--   1 location   or '' for the brake of all lanes
--   2 seen       time in us at which that brake closed
-- Returns: 'ended', 'free' when there is no brake, or 'changed' when a newer brake closed; both change nothing
-- @include now
-- @include breaker/brake
local location = ARGV[1]
if location == '' then
  local global_state = redis.call('HMGET', key.global_state, 'cause', 'outage_since')
  if not global_state[1] then return 'free' end
  if global_state[2] ~= ARGV[2] then return 'changed' end
  end_outage(global_state[2])
  return 'ended'
end
local lane = redis.call('HMGET', key.lane(location), 'brake_at', 'hold')
if not lane[1] then return 'free' end
if lane[1] ~= ARGV[2] then return 'changed' end
end_brake(location, lane[2], tonumber(lane[1]), 'person')
forget_refusals(location)
return 'ended'
