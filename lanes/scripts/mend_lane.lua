-- mend_lane: a lane is listed, held or not as its hold says, due when its jobs are, and knows how many letters it has. Again changes
-- nothing.
-- ARGV:
--   1 location   or '' for the gate of all lanes
-- Returns: 'mended'
-- @include now
-- @include gate
-- @include go_on
-- @include hold_lane
local OPERATOR = 'operator'
local location = ARGV[1]

-- repair_hold(name, reason): a hold says by whom, since when, and for which credential; what is left of none goes.
local function repair_hold(name, reason)
  if not reason then
    redis.call('HDEL', name, 'held_by', 'held_at', 'unauthorized')
    return
  end
  local refused = redis.call('HGET', name, 'unauthorized')
  redis.call('HSETNX', name, 'held_by', refused and AUTHORIZATION or OPERATOR)
  if not tonumber(redis.call('HGET', name, 'held_at') or '') then redis.call('HSET', name, 'held_at', now) end
  if not refused and redis.call('HGET', name, 'held_by') == AUTHORIZATION then refused = reason end
  if refused and not string.match(refused, '^%d+ ') then redis.call('HSET', name, 'unauthorized', '0 ' .. refused) end
end

if location == '' then
  set_gate()
  return 'mended'
end
redis.call('SADD', key.locations, location)
local letters = 0
for _, some in ipairs(redis.call('HVALS', key.letters(location))) do letters = letters + (tonumber(some) or 0) end
redis.call('HSET', key.lane(location), 'letters', letters)
local reason = redis.call('HGET', key.lane(location), 'hold')
repair_hold(key.lane(location), reason)
if reason then
  redis.call('ZREM', key.due, location)
  begin_held(location, held_clock())
else
  end_held(location, held_clock())
  redis.call('ZREM', key.due, location)
  go_on(location)
end
return 'mended'
