-- @include rate_limit/periods
-- The rate window of a location, as the server counts it; day.lua has the day. `rate_slots` has every request that may
-- still be in the server's window. A release takes a slot until one window after its lease, the latest time for its
-- answer; the answer shortens that to one window after itself. So no window holds more requests than slots.
-- `foreign_requests` has requests of other clients, as far as the API's answers show them (sync_rate_limits).
-- While others share the limit, this many requests of a window stay free for them.
local SHARED_MARGIN = 2

local function count_occupied(rate_slots)
  return redis.call('ZCOUNT', rate_slots, '(' .. string.format('%.0f', now), '+inf')
end

-- free_at(rate_slots, skipped): returns when the next one is free, after `skipped` others; nil for none.
local function free_at(rate_slots, skipped)
  local after = '(' .. string.format('%.0f', now)
  return tonumber(redis.call('ZRANGEBYSCORE', rate_slots, after, '+inf', 'WITHSCORES', 'LIMIT', skipped, 1)[2])
end

-- burst_until(lane): nil when the window has a free slot, else when to ask again. While others share the limit, our
-- requests are paced, faster with more free slots: so answers keep showing the others, and slots keep becoming free.
local function burst_until(lane)
  local rate_slots, foreign_slots = key.rate_slots(lane.location), key.foreign_requests(lane.location)
  local ours = count_occupied(rate_slots)
  if lane.shared_until <= now then return ours >= lane.burst and free_at(rate_slots, ours - lane.burst) or nil end
  if lane.pacing_until > now then return lane.pacing_until end
  local foreign_requests = count_occupied(foreign_slots)
  local share = math.max(1, lane.burst - SHARED_MARGIN - foreign_requests)
  lane.pause = math.floor(lane.window / math.max(share, math.min(1.5 * share, share + 8 * (share - ours))))
  if ours < share then return nil end
  return math.min(free_at(rate_slots, 0) or math.huge, free_at(foreign_slots, 0) or math.huge)
end

-- trim(rate_slots): removes slots that have been free for a while.
local function trim(rate_slots)
  redis.call('ZREMRANGEBYSCORE', rate_slots, '-inf', now - REMEMBERED)
end

-- note_sent(lane, number): a request is sent while others share the limit.
local function note_sent(lane, number)
  set(lane, 'pacing_until', now + lane.pause)
  local sent = key.sent(lane.location)
  redis.call('ZADD', sent, now, number)
  redis.call('ZREMRANGEBYSCORE', sent, '-inf', now - 2 * lane.window)
  redis.call('PEXPIRE', sent, math.ceil(lane.window / 500))
end
