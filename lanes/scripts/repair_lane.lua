-- repair_lane: repairs a lane's fields and due time. An incomplete brake or outage ends. Idempotent.
-- ARGV:
--   1 location   or '' for what stops all lanes
-- Returns: 'repaired'
-- @include now
-- @include rate_limit/account
-- @include breaker/global_state
-- @include queue/reschedule
-- @include hold/hold_lane
local OPERATOR = 'operator'

-- repair_requests(location): corrects the numbers of requests by what was sent and is in flight.
local function repair_requests(location)
  local lane = read_account(location)
  local released, unsent = lane[1], math.min(lane[7], lane[1])
  local redundant = 0
  for _, id in ipairs(redis.call('ZRANGE', key.leases, 0, -1)) do
    local job = redis.call('HMGET', key.job(id), 'location', 'state')
    if job[1] == location and job[2] == 'delivered' then redundant = redundant + 1 end
  end
  redis.call('HSET', key.lane(location), 'api_number', math.min(lane[2], released), 'day_seen_at', math.min(lane[3], released),
    'day_from', math.min(lane[4], released), 'lost_counted', math.min(lane[6], lane[5]),
    'unsent', unsent, 'day_base', math.min(lane[8], released - unsent),
    'redundant', redundant)
end
local location = ARGV[1]

-- repair_hold(name, reason): completes a hold (by whom, since when, for which credential), or removes its leftovers.
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
  local global_state = redis.call('HMGET', key.global_state, 'outage_since', 'half_open_limit')
  if not (global_state[1] and global_state[2]) then
    redis.call('HDEL', key.global_state, 'outage_since', 'half_open_limit', 'half_open_at', 'gap', 'probe_at', 'cause', 'status')
    redis.call('DEL', key.probes)
  end
  update_global_state()
  return 'repaired'
end
redis.call('SADD', key.locations, location)
redis.call('HSET', key.lane(location), 'dead_letters', sum_dead_letters(location))
repair_requests(location)
local reason = redis.call('HGET', key.lane(location), 'hold')
repair_hold(key.lane(location), reason)
local brake = redis.call('HMGET', key.lane(location), 'brake_at', 'brake_gap', 'brake_probe_at')
local braked = brake[1] and brake[2] and brake[3]
if not braked then
  redis.call('HDEL', key.lane(location), 'brake_at', 'brake_gap', 'brake_probe_at', 'brake_probe', 'brake_record')
end
if reason or braked then
  begin_held(location, held_clock())
else
  end_held(location, held_clock())
end
redis.call('ZREM', key.due, location)
reschedule(location)
return 'repaired'
