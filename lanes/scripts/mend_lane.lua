-- mend_lane: a lane is listed, held or not as its hold and its brake say, due when its jobs are, and knows how many letters it has.
-- A brake, or an outage, of which something is lost is over. Again changes nothing.
-- ARGV:
--   1 location   or '' for the gate of all lanes
-- Returns: 'mended'
-- @include now
-- @include gate
-- @include go_on
local location = ARGV[1]
if location == '' then
  local gate = redis.call('HMGET', key.gate, 'outage_since', 'room')
  if not (gate[1] and gate[2]) then
    redis.call('HDEL', key.gate, 'outage_since', 'room', 'room_at', 'gap', 'probe_at', 'cause', 'status')
    redis.call('DEL', key.probes)
  end
  set_gate()
  return 'mended'
end
redis.call('SADD', key.locations, location)
local letters = 0
for _, some in ipairs(redis.call('HVALS', key.letters(location))) do letters = letters + (tonumber(some) or 0) end
redis.call('HSET', key.lane(location), 'letters', letters)
local lane = redis.call('HMGET', key.lane(location), 'hold', 'brake_at', 'brake_gap', 'brake_probe_at')
local braked = lane[2] and lane[3] and lane[4]
if not braked then
  redis.call('HDEL', key.lane(location), 'brake_at', 'brake_gap', 'brake_probe_at', 'brake_probe', 'brake_record')
end
if lane[1] or braked then
  begin_held(location, held_clock())
else
  end_held(location, held_clock())
end
redis.call('ZREM', key.due, location)
go_on(location)
return 'mended'
