-- The day of a location. `charged` less `day_base` is what is used of it. The base is what was charged when the day began: when the
-- API said that its day begins, or, while it did not say, 24 hours ago, to a quarter of an hour. `day` holds what was charged when a
-- quarter began; a quarter is forgotten a day after its end, so that any 24 hours are covered. What others took lowers the base.
local QUARTER = 900 * 1000000
local QUARTERS = 97
local DAY = 86400 * 1000000

-- begin_quarter(lane, quarter): a new quarter of an hour: notes what was charged before it, and finds the oldest one that counts. What
-- others took stays taken: nobody knows when it leaves the day. When that fills the day, one request may go out and ask.
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
  lane.day_base = math.max(lane.day_base, base - foreign_requests, asks)
  redis.call('HSET', key.lane(lane.location), 'day_quarter', quarter, 'day_base', lane.day_base)
end

-- begin_day(lane): the day of which the API told is over. What is out may count in the new one.
local function begin_day(lane)
  lane.day_base, lane.day_from, lane.day_seen, lane.day_seen_at = lane.charged - lane.outstanding, lane.released, 0, 0
  lane.day_resets_at = lane.day_resets_at + DAY * (1 + math.floor((now - lane.day_resets_at) / DAY))
  redis.call('HSET', key.lane(lane.location), 'day_base', lane.day_base, 'day_from', lane.day_from, 'day_seen', 0,
    'day_seen_at', 0, 'day_resets_at', lane.day_resets_at)
end

-- day_until(lane): nil when the day has room for a request, else the time at which to ask again. Where the API tells of its day, as
-- many requests as are out stay free: others may have taken as many before we hear of it. Each report looks again (end_attempt).
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

-- refund_day(lane, released_at): a request that was released then was never sent: the day has it back. But no less is used than the
-- server counted.
local function refund_day(lane, released_at)
  redis.call('HINCRBY', key.lane(lane.location), 'unsent', 1)
  lane.charged = lane.charged - 1
  for quarter = math.floor(released_at / QUARTER) + 1, math.floor(now / QUARTER) do
    local field = string.format('%.0f', quarter)
    if redis.call('HEXISTS', key.day(lane.location), field) == 1 then
      redis.call('HINCRBY', key.day(lane.location), field, -1)
    end
  end
  if lane.charged - lane.day_base >= (lane.day_seen or 0) then return end
  lane.day_base = lane.charged - (lane.day_seen or 0)
  redis.call('HSET', key.lane(lane.location), 'day_base', lane.day_base)
end
