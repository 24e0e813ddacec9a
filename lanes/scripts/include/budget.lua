-- The two budgets of a location, as the server counts them.
-- Burst: `slots` holds every request that may still stand in the server's window. A release takes a slot until one window
-- after the end of its lease, the latest time at which its answer can come; the answer shortens that to one window
-- after itself. So no window, wherever it begins, holds more requests than slots.
-- Day: requests per quarter of an hour; a quarter is forgotten a day after its end, so that any 24 hours are covered.
local QUARTER = 900 * 1000000
local QUARTERS = 97

-- budget_until(location, burst, daily): nil when a request may be sent now, else the time at which to ask again.
local function budget_until(location, burst, daily)
  local slots = key.slots(location)
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  if redis.call('ZCARD', slots) >= burst then
    return tonumber(redis.call('ZRANGE', slots, 0, 0, 'WITHSCORES')[2])
  end
  local lane = key.lane(location)
  local day = redis.call('HMGET', lane, 'day_quarter', 'day_used')
  local quarter = math.floor(now / QUARTER)
  if tonumber(day[1]) ~= quarter then
    local used = 0
    local quarters = redis.call('HGETALL', key.day(location))
    for i = 1, #quarters, 2 do
      if tonumber(quarters[i]) <= quarter - QUARTERS then
        redis.call('HDEL', key.day(location), quarters[i])
      else
        used = used + tonumber(quarters[i + 1])
      end
    end
    redis.call('HSET', lane, 'day_quarter', quarter, 'day_used', used)
    day[2] = used
  end
  if tonumber(day[2]) < daily then return nil end
  local oldest = quarter
  for _, q in ipairs(redis.call('HKEYS', key.day(location))) do oldest = math.min(oldest, tonumber(q)) end
  return (oldest + QUARTERS) * QUARTER
end

-- charge_budget(location, attempt, until): takes a slot for the attempt, and one request of the day.
local function charge_budget(location, attempt, slot_until)
  redis.call('ZADD', key.slots(location), slot_until, attempt)
  redis.call('HINCRBY', key.day(location), string.format('%.0f', math.floor(now / QUARTER)), 1)
  redis.call('HINCRBY', key.lane(location), 'day_used', 1)
end
