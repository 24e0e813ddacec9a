-- read_lanes: lanes in numbers. Changes nothing.
-- ARGV: locations
-- Returns: { fields and values, requests in the window, us until it is due or '', us since its oldest job was accepted or '',
--   us until its next probe when it is on the brake or '' } a lane
-- @include now
-- @include oldest
local after = '(' .. string.format('%.0f', now)
local lanes = {}
for _, location in ipairs(ARGV) do
  local used = redis.call('ZCOUNT', key.slots(location), after, '+inf') + redis.call('ZCOUNT', key.others(location), after, '+inf')
  local brake = redis.call('HMGET', key.lane(location), 'brake_at', 'brake_probe_at', 'brake_probe')
  local probe_at = not brake[3] and tonumber(brake[2]) or now
  local due, first = redis.call('ZSCORE', key.due, location), oldest(location)
  lanes[#lanes + 1] = { redis.call('HGETALL', key.lane(location)), used, due and math.max(0, tonumber(due) - now) or '',
                        first and now - first or '', brake[1] and math.max(0, probe_at - now) or '' }
end
return lanes
