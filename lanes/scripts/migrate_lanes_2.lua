-- migrate_lanes_2: lanes of the first layout become lanes of the second, which counts all requests ever, and under each quarter of
-- an hour those before it, measures the time for which a lane is held, and says for which credential. Again changes nothing.
-- ARGV: locations
-- Returns: how many were changed
-- @include now
-- @include hold/held_time
local changed = 0

-- sum_up(location): from the requests of each quarter to those before it.
local function sum_up(location)
  local quarters, total = redis.call('HKEYS', key.day(location)), 0
  table.sort(quarters, function(one, other) return tonumber(one) < tonumber(other) end)
  for _, quarter in ipairs(quarters) do
    local used = tonumber(redis.call('HGET', key.day(location), quarter))
    redis.call('HSET', key.day(location), quarter, total)
    total = total + used
  end
  redis.call('HSET', key.lane(location), 'released', total, 'day_base', 0)
  redis.call('HDEL', key.lane(location), 'day_used', 'day_quarter')
end

for _, location in ipairs(ARGV) do
  local lane = redis.call('HMGET', key.lane(location), 'day_used', 'released', 'hold', 'held_by')
  if lane[1] and not lane[2] then sum_up(location) end
  local held = string.sub(redis.call('HGET', key.held_time, location) or '', 1, 1) == '-'
  if lane[3] and not held then begin_held(location, held_clock()) end
  if lane[3] and lane[4] == 'authorization' then redis.call('HSETNX', key.lane(location), 'unauthorized', '0 ' .. lane[3]) end
  if lane[1] and not lane[2] or lane[3] and not held then changed = changed + 1 end
end
return changed
