-- The two budgets of a location, as the server counts them.
-- Burst: `rate_slots` holds every request that may still stand in the server's window. A release takes a slot until one window
-- after the end of its lease, the latest time at which its answer can come; the answer shortens that to one window
-- after itself. So no window, wherever it begins, holds more requests than slots. `foreign_requests` holds the requests that somebody
-- else made for the location, as far as the API's answers tell of them (see learn).
-- Day: see day.lua.
-- While others share the budget, so many requests of a window stay free for those that they make before we hear of it.
local SHARED_MARGIN = 2
-- Free slots are remembered for a while: an answer tells of the time at which its request was sent.
local REMEMBERED = 2 * 1000000

-- taken(slots): how many of these are still taken.
local function taken(rate_slots)
  return redis.call('ZCOUNT', rate_slots, '(' .. string.format('%.0f', now), '+inf')
end

-- free_at(slots, skipped): when the next one is free, after so many others (nil: none is taken).
local function free_at(rate_slots, skipped)
  local after = '(' .. string.format('%.0f', now)
  return tonumber(redis.call('ZRANGEBYSCORE', rate_slots, after, '+inf', 'WITHSCORES', 'LIMIT', skipped, 1)[2])
end

-- burst_until(lane): nil when the window has room for a request, else the time at which to ask again. While others share the
-- budget, ours go out evenly, the faster the more room there is: so there are always answers that tell of the others, and
-- always slots of ours that become free when theirs grow.
local function burst_until(lane)
  local rate_slots, foreign_slots = key.rate_slots(lane.location), key.foreign_requests(lane.location)
  local ours = taken(rate_slots)
  if lane.shared_until <= now then return ours >= lane.burst and free_at(rate_slots, ours - lane.burst) or nil end
  if lane.pacing_until > now then return lane.pacing_until end
  local foreign_requests = taken(foreign_slots)
  local share = math.max(1, lane.burst - SHARED_MARGIN - foreign_requests)
  lane.pause = math.floor(lane.window / math.max(share, math.min(1.5 * share, share + 8 * (share - ours))))
  if ours < share then return nil end
  return math.min(free_at(rate_slots, 0) or math.huge, free_at(foreign_slots, 0) or math.huge)
end

-- charge_budget(lane, attempt, slot_until): takes a slot for the attempt, and one request of the day. Returns the number of
-- the request among all of the location.
local function charge_budget(lane, attempt, slot_until)
  local number = redis.call('HINCRBY', key.lane(lane.location), 'released', 1)
  redis.call('ZADD', key.rate_slots(lane.location), slot_until, attempt)
  redis.call('ZREMRANGEBYSCORE', key.rate_slots(lane.location), '-inf', now - REMEMBERED)
  if lane.shared_until > now then
    redis.call('HSET', key.lane(lane.location), 'pacing_until', now + lane.pause)
    local sent = key.sent(lane.location)
    redis.call('ZADD', sent, now, number)
    redis.call('ZREMRANGEBYSCORE', sent, '-inf', now - 2 * lane.window)
    redis.call('PEXPIRE', sent, math.ceil(lane.window / 500))
  end
  return number
end
