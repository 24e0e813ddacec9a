-- @include hold/held_time
-- What stops all lanes. While all lanes are held, and in an outage, `due` begins with the member '': so a release sees
-- it without another read, and no worker is woken. In an outage `half_open_limit` requests may be in flight: 1 while
-- single probes go out, then more with each answer. With the cause 'refusals' all lanes are on the brake instead
-- (brake.lua).

-- update_global_state(): to call after a change of the global hold or the outage.
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

-- half_open_capacity(): returns how many requests may be released now. For 0 also when to ask again, nil if only a
-- person can resume. Else nil and the cause, if it is no outage. A lost request counts until its lease ends.
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
