-- The two budgets of a location, as the server counts them.
-- Burst: `slots` holds every request that may still stand in the server's window. A release takes a slot until one window
-- after the end of its lease, the latest time at which its answer can come; the answer shortens that to one window
-- after itself. So no window, wherever it begins, holds more requests than slots. `others` holds the requests that somebody
-- else made for the location, as far as the API's answers tell of them (see learn).
-- Day: `released` counts all requests ever, and `day_base` is what it was when the day began: when the API said that its day
-- begins, or, while it did not say, 24 hours ago, to a quarter of an hour. `day` holds what `released` was when a quarter
-- began; a quarter is forgotten a day after its end, so that any 24 hours are covered.
local QUARTER = 900 * 1000000
local QUARTERS = 97
local DAY = 86400 * 1000000
-- While others share the budget, so many requests of a window stay free for those that they make before we hear of it.
local SHARED_MARGIN = 2
-- Free slots are remembered for a while: an answer tells of the time at which its request was sent.
local REMEMBERED = 2 * 1000000

-- taken(slots): how many of these are still taken, and until when the first of them is (nil: none is).
local function taken(slots)
  local after = '(' .. string.format('%.0f', now)
  local first = redis.call('ZRANGEBYSCORE', slots, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  return first and redis.call('ZCOUNT', slots, after, '+inf') or 0, tonumber(first)
end

-- burst_until(lane): nil when the window has room for a request, else the time at which to ask again. While others share the
-- budget, ours go out evenly, the faster the more room there is: so there are always answers that tell of the others, and
-- always slots of ours that become free when theirs grow.
local function burst_until(lane)
  local ours, until_at = taken(key.slots(lane.location))
  if lane.shared_until <= now then return ours >= lane.burst and until_at or nil end
  if lane.paced_until > now then return lane.paced_until end
  local others, others_until_at = taken(key.others(lane.location))
  local share = math.max(1, lane.burst - SHARED_MARGIN - others)
  lane.pause = math.floor(lane.window / math.max(share, math.min(1.5 * share, share + 8 * (share - ours))))
  if ours < share then return nil end
  return math.min(until_at or math.huge, others_until_at or math.huge)
end

-- begin_quarter(lane): a new quarter of an hour: notes what was released before it, and finds the oldest one that counts.
local function begin_quarter(lane, quarter)
  local oldest, base = quarter, lane.released
  local quarters = redis.call('HGETALL', key.day(lane.location))
  for i = 1, #quarters, 2 do
    local at = tonumber(quarters[i])
    if at <= quarter - QUARTERS then
      redis.call('HDEL', key.day(lane.location), quarters[i])
    elseif at < oldest then
      oldest, base = at, tonumber(quarters[i + 1])
    end
  end
  redis.call('HSETNX', key.day(lane.location), string.format('%.0f', quarter), lane.released)
  lane.day_base = base
  redis.call('HSET', key.lane(lane.location), 'day_quarter', quarter, 'day_base', base)
end

-- day_until(lane): nil when the day has room for a request, else the time at which to ask again.
local function day_until(lane)
  local quarter = math.floor(now / QUARTER)
  if lane.day_resets_at then
    if lane.day_resets_at <= now then
      -- A new day of the API. What is in flight may count in it.
      lane.day_base = lane.released - (tonumber(redis.call('HGET', key.lane(lane.location), 'in_flight')) or 0)
      lane.day_resets_at = lane.day_resets_at + DAY * (1 + math.floor((now - lane.day_resets_at) / DAY))
      redis.call('HSET', key.lane(lane.location), 'day_base', lane.day_base, 'day_resets_at', lane.day_resets_at)
    end
  elseif lane.day_quarter ~= quarter then
    begin_quarter(lane, quarter)
  end
  if lane.released - lane.day_base < lane.daily then return nil end
  if lane.day_resets_at then return lane.day_resets_at end
  local oldest = quarter
  for _, at in ipairs(redis.call('HKEYS', key.day(lane.location))) do oldest = math.min(oldest, tonumber(at)) end
  return (oldest + QUARTERS) * QUARTER
end

-- charge_budget(lane, attempt, slot_until): takes a slot for the attempt, and one request of the day. Returns the number of
-- the request among all of the location.
local function charge_budget(lane, attempt, slot_until)
  local number = redis.call('HINCRBY', key.lane(lane.location), 'released', 1)
  redis.call('ZADD', key.slots(lane.location), slot_until, attempt)
  redis.call('ZREMRANGEBYSCORE', key.slots(lane.location), '-inf', now - REMEMBERED)
  if lane.shared_until > now then
    redis.call('HSET', key.lane(lane.location), 'paced_until', now + lane.pause)
    local sent = key.sent(lane.location)
    redis.call('ZADD', sent, now, number)
    redis.call('ZREMRANGEBYSCORE', sent, '-inf', now - 2 * lane.window)
    redis.call('PEXPIRE', sent, math.ceil(lane.window / 500))
  end
  return number
end
