-- @include held
-- The gate of all lanes. While an operator holds everything, and in an outage, a location without a name stands before all
-- others in `due`: so a release sees without another read that the gate is shut, and nobody is woken. In an outage `room` tells
-- how many requests may be out at a time: 1 while single probes go out, then more with each that is answered. With the `cause`
-- 'refusals' it is no outage, but all lanes are on the brake (brake.lua).

-- set_gate(): the hold of everything, or the outage, has changed.
local function set_gate()
  local gate = redis.call('HMGET', key.gate, 'hold', 'room')
  local held, room = gate[1], tonumber(gate[2])
  if held or room then
    redis.call('ZADD', key.due, 0, '')
  else
    redis.call('ZREM', key.due, '')
  end
  if held or room == 1 then
    begin_held('', now)
  else
    end_held('', now)
    redis.call('PUBLISH', key.wake, '')
  end
end

-- passage(): how many requests may pass the shut gate now; when none, the time at which to ask again, or nil if a person has to
-- open it. A request whose worker died is out no longer than its lease. The third value is the cause, where it is not an outage.
local function passage()
  local gate = redis.call('HMGET', key.gate, 'hold', 'room', 'probe_at', 'cause')
  if gate[1] then return 0, nil end
  local probe_at = tonumber(gate[3]) or 0
  if probe_at > now then return 0, probe_at end
  local after = '(' .. string.format('%.0f', now)
  local free = (tonumber(gate[2]) or math.huge) - redis.call('ZCOUNT', key.probes, after, '+inf')
  if free > 0 then return free, nil, gate[4] end
  return 0, tonumber(redis.call('ZRANGEBYSCORE', key.probes, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2])
end
