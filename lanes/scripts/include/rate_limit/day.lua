-- @include rate_limit/periods
-- The daily quota of a location: `charged` minus `day_base` is used. The base is what was charged when the day began:
-- at the API's reset if known, else 24 hours ago. `day` has what was charged when each quarter of an hour began; a
-- quarter is kept until a day after its end, so that any 24 hours are covered. Requests of others lower the base.
local QUARTERS = 97
local DAY = 86400 * 1000000

-- begin_quarter(lane, quarter): notes what was charged before the new quarter, and finds the oldest one that counts.
-- Requests of others stay counted: when they leave the day is unknown. If they fill it, one request may go out to ask.
local function begin_quarter(lane, quarter)
  local first, first_base, oldest, base = math.huge, lane.day_base, quarter, lane.charged
  local quarters = redis.call('HGETALL', key.day(lane.location))
  for i = 1, #quarters, 2 do
    local at, charged = tonumber(quarters[i]), tonumber(quarters[i + 1])
    if at < first then first, first_base = at, charged end
    if at <= quarter - QUARTERS then
      redis.call('HDEL', key.day(lane.location), quarters[i])
    elseif at < oldest then
      oldest, base = at, charged
    end
  end
  redis.call('HSETNX', key.day(lane.location), string.format('%.0f', quarter), lane.charged)
  local foreign_requests = math.max(0, first_base - lane.day_base)
  local asks = foreign_requests > 0 and math.min(base, lane.charged - lane.daily + 1) or 0
  set(lane, 'day_base', math.max(lane.day_base, base - foreign_requests, asks))
  set(lane, 'day_quarter', quarter)
end

-- begin_day(lane): the API's day was reset. Requests in flight may count in the new day.
local function begin_day(lane)
  set(lane, 'day_base', lane.charged - lane.outstanding)
  set(lane, 'day_from', lane.released)
  set(lane, 'day_seen', 0)
  set(lane, 'day_seen_at', 0)
  set(lane, 'day_resets_at', lane.day_resets_at + DAY * (1 + math.floor((now - lane.day_resets_at) / DAY)))
end

-- day_until(lane): nil when the day has quota for a request, else when to ask again. If the API reports its day, as
-- many requests as are in flight stay free, since others may have sent as many. Each report checks again (end_attempt).
local function day_until(lane)
  local quarter = math.floor(now / QUARTER)
  if lane.day_resets_at then
    if lane.day_resets_at <= now then begin_day(lane) end
  elseif lane.day_quarter ~= quarter then
    begin_quarter(lane, quarter)
  end
  local left = lane.daily - (lane.charged - lane.day_base)
  if left > (lane.day_seen and lane.outstanding or 0) then return nil end
  if lane.day_resets_at then return lane.day_resets_at end
  local oldest, base = quarter, lane.day_base
  local quarters = redis.call('HGETALL', key.day(lane.location))
  for i = 1, #quarters, 2 do
    local at = tonumber(quarters[i])
    if at <= oldest then oldest, base = at, tonumber(quarters[i + 1]) end
  end
  if lane.day_base < base then return (quarter + 1) * QUARTER end  -- others filled it: ask
  return (oldest + QUARTERS) * QUARTER
end

-- refund_day(lane, released_at): refunds a request that was never sent. But no less is used than the server counted.
local function refund_day(lane, released_at)
  set(lane, 'unsent', lane.unsent + 1)
  lane.charged = lane.charged - 1
  for quarter = math.floor(released_at / QUARTER) + 1, math.floor(now / QUARTER) do
    local field = string.format('%.0f', quarter)
    if redis.call('HEXISTS', key.day(lane.location), field) == 1 then
      redis.call('HINCRBY', key.day(lane.location), field, -1)
    end
  end
  if lane.charged - lane.day_base >= (lane.day_seen or 0) then return end
  set(lane, 'day_base', lane.charged - (lane.day_seen or 0))
end
