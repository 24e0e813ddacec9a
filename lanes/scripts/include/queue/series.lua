-- Statistics: counts in steps of 10 s for an hour and of 5 min for a day, and for each lane in steps of 5 min.
-- Durations are counted in buckets floor(4 * log2(ms)): 'w...' from enqueue to delivery, 'a...' from release to report.
-- A delivery is counted by its duration only.
local RECENT, HISTORY, LANE_HISTORY = 10 * 1000000, 300 * 1000000, 14400 * 1000000
local RECENT_KEPT, HISTORY_KEPT, LANE_HISTORY_KEPT = 3900, 90300, 104400
local LAST_BUCKET = 119
-- The events that are counted. True: `counts` can go down, so `totals` counts it, too.
local EVENTS = { accepted = false, merged = false, delivered = false, retried = false, throttled = false, reclaimed = false,
                 dead = true, expired = true, cancelled = true }

-- A broken key of the statistics stops nothing.
local function add(name, field, jobs, kept)
  if redis.pcall('HINCRBY', name, field, jobs) == jobs then redis.call('EXPIRE', name, kept) end
end

local function start_of(step)
  return string.format('%.0f', now - now % step)
end

local function bucket(kind, us)
  local of = us > 1000 and math.floor(4 * math.log(us / 1000) / math.log(2)) or 0
  return kind .. math.min(of, LAST_BUCKET)
end

local function log_time(kind, us)
  local field, recent, history = bucket(kind, us), start_of(RECENT), start_of(HISTORY)
  add(key.recent(recent), field, 1, RECENT_KEPT)
  add(key.history(history), field, 1, HISTORY_KEPT)
  redis.pcall('HINCRBY', key.totals, field, 1)
end

local function log_event(location, event, jobs)
  if EVENTS[event] == nil then return end
  local step = math.floor(now % LANE_HISTORY / HISTORY)
  local recent, history, lane_history = start_of(RECENT), start_of(HISTORY), start_of(LANE_HISTORY)
  add(key.lane_history(location, lane_history), event .. ':' .. step, jobs, LANE_HISTORY_KEPT)
  if event == 'delivered' then return end
  add(key.recent(recent), event, jobs, RECENT_KEPT)
  add(key.history(history), event, jobs, HISTORY_KEPT)
  if EVENTS[event] then redis.pcall('HINCRBY', key.totals, event, jobs) end
end
