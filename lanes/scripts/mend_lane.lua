-- mend_lane: a lane is listed, held or not as its hold says, due when its jobs are, and knows how many letters it has. Again changes
-- nothing.
-- ARGV:
--   1 location   or '' for the gate of all lanes
-- Returns: 'mended'
-- @include now
-- @include gate
-- @include go_on
local location = ARGV[1]
if location == '' then
  set_gate()
  return 'mended'
end
redis.call('SADD', key.locations, location)
local letters = 0
for _, some in ipairs(redis.call('HVALS', key.letters(location))) do letters = letters + (tonumber(some) or 0) end
redis.call('HSET', key.lane(location), 'letters', letters)
if redis.call('HGET', key.lane(location), 'hold') then
  redis.call('ZREM', key.due, location)
  begin_held(location, held_clock())
else
  end_held(location, held_clock())
  redis.call('ZREM', key.due, location)
  go_on(location)
end
return 'mended'
