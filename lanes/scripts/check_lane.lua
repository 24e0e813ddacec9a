-- check_lane: checks that the parts of a lane agree, and counts the jobs of its records. Read-only.
-- ARGV:
--   1 location
--   2 max_count   records to count in one call; a lane with more is not counted
-- Returns: { { kind, text, ... }, { fields and values }, { pending, in flight } or { } for too many records, us since
--   when nobody needs the lane, or -1 }
-- @include read_only
-- @include now
-- @include rate_limit/account
-- @include queue/idle
local location = ARGV[1]
local wrong = {}
local function check(kind, fact, text)
  if not fact then
    wrong[#wrong + 1], wrong[#wrong + 2] = kind, text
  end
end

-- keys_of_lane(location): returns how many there are, without those that expire.
local function keys_of_lane(location)
  return redis.call('EXISTS', key.lane(location), key.ready(location), key.delayed(location), key.active(location),
    key.rate_slots(location), key.day(location), key.dead_letter_counts(location), key.newest_delivered(location))
end

local lane = redis.call('HMGET', key.lane(location), 'hold', 'backoff_until', 'rate_limited_until', 'dead_letters', 'throttled_until',
  'brake_probe_at', 'brake_at', 'brake_gap', 'held_by', 'held_at', 'unauthorized')
local held = string.sub(redis.call('HGET', key.held_time, location) or '', 1, 1) == '-'
local listed = redis.call('SISMEMBER', key.locations, location) == 1
check('unlisted', listed or keys_of_lane(location) == 0, 'the location is not listed, so its lane is not shown')
check('held', not (lane[1] or lane[7]) == not held, 'its hold, or its brake, and its held time disagree')
local whole = lane[1] and lane[9] and tonumber(lane[10])
  and (lane[11] and string.match(lane[11], '^%d+ ') or not lane[11] and lane[9] ~= 'authorization')
local none = not (lane[1] or lane[9] or lane[10] or lane[11])
check('hold', whole or none, 'its hold is incomplete: by whom, since when, or for which credential')
check('brake', not lane[6] == not lane[7] and not lane[7] == not lane[8], 'its brake is incomplete')

-- The lane must not be due later than its first job and its pauses allow; plus 1 us that a release may add.
local due = tonumber(redis.call('ZSCORE', key.due, location))
if due and not lane[1] then
  local first = redis.call('ZCARD', key.ready(location)) > 0 and now
    or tonumber(redis.call('ZRANGE', key.delayed(location), 0, 0, 'WITHSCORES')[2])
  local at = math.max(first or now, now, tonumber(lane[2]) or 0, tonumber(lane[3]) or 0, tonumber(lane[5]) or 0,
    tonumber(lane[6]) or 0)
  check('due', not first or due <= at + 1, 'it is due later than its jobs are')
end
if redis.call('HLEN', key.dead_letter_counts(location)) <= tonumber(ARGV[2]) then
  check('dead-letters', sum_dead_letters(location) == (tonumber(lane[4]) or 0), 'its number of dead letters is wrong')
end

-- The numbers of requests must have been assigned, and no more requests refunded than charged.
local numbers = read_account(location)
local released, base = numbers[1], numbers[8]
check('numbers', math.max(numbers[2], numbers[3], numbers[4], numbers[7]) <= released and numbers[6] <= numbers[5]
  and base <= released - numbers[7], 'its numbers of requests are higher than what it sent')

local found = {}
if redis.call('HLEN', key.active(location)) <= tonumber(ARGV[2]) then
  local active = redis.call('HGETALL', key.active(location))
  local pending, in_flight, redundant = 0, 0, 0
  for i = 1, #active, 2 do
    local state = redis.call('HGET', key.job(active[i + 1]), 'state')
    if state == 'pending' then pending = pending + 1 end
    if state == 'in_flight' then in_flight = in_flight + 1 end
    if state == 'delivered' and redis.call('ZSCORE', key.leases, active[i + 1]) then redundant = redundant + 1 end
    pending = pending + redis.call('LLEN', key.blocked(location, active[i]))
  end
  found = { pending, in_flight }
  check('redundant', redundant == (tonumber(redis.call('HGET', key.lane(location), 'redundant')) or 0),
    'its number of requests in flight for delivered jobs is wrong')
end
local since = listed and idle_since(location) or 0
return answer({ wrong, redis.call('HGETALL', key.lane(location)), found, since > 0 and now - since or -1 })
