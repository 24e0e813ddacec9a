-- @include hold/held_time
-- The gate of all lanes. While an operator holds everything, and in an outage, a location without a name stands before all
-- others in `due`: so a release sees without another read that the gate is shut, and nobody is woken. In an outage `half_open_limit` tells
-- how many requests may be out at a time: 1 while single probes go out, then more with each that is answered. With the `cause`
-- 'refusals' it is no outage, but all lanes are on the brake (brake.lua).

-- update_global_state(): the hold of everything, or the outage, has changed.
local function update_global_state()
  local global_state = redis.call('HMGET', key.global_state, 'hold', 'half_open_limit')
  local held, half_open_limit = global_state[1], tonumber(global_state[2])
  if held or half_open_limit then
    redis.call('ZADD', key.due, 0, '')
  else
    redis.call('ZREM', key.due, '')
  end
  if held or half_open_limit == 1 then
    begin_held('', now)
  else
    end_held('', now)
    redis.call('PUBLISH', key.wake, '')
  end
end

-- half_open_capacity(): how many requests may pass the shut gate now; when none, the time at which to ask again, or nil if a person has to
-- open it. A request whose worker died is out no longer than its lease. The third value is the cause, where it is not an outage.
local function half_open_capacity()
  local global_state = redis.call('HMGET', key.global_state, 'hold', 'half_open_limit', 'probe_at', 'cause')
  if global_state[1] then return 0, nil end
  local probe_at = tonumber(global_state[3]) or 0
  if probe_at > now then return 0, probe_at end
  local after = '(' .. string.format('%.0f', now)
  local free = (tonumber(global_state[2]) or math.huge) - redis.call('ZCOUNT', key.probes, after, '+inf')
  if free > 0 then return free, nil, global_state[4] end
  return 0, tonumber(redis.call('ZRANGEBYSCORE', key.probes, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2])
end
