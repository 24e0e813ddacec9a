-- What happened lately, and how long it took, for those who watch: counted in steps of ten seconds for an hour, of five minutes
-- for a day, and for each lane in steps of five minutes.
-- A time is counted in the bucket floor(4 * log2(ms)): 'w...' from enqueue to delivery, 'a...' from release to report. A delivery
-- is counted by its time alone.
local RECENT, HISTORY, LANE_HISTORY = 10 * 1000000, 300 * 1000000, 14400 * 1000000
local RECENT_KEPT, HISTORY_KEPT, LANE_HISTORY_KEPT = 3900, 90300, 104400
local LAST_BUCKET = 119
-- What is counted of the states and totals; the value tells whether the jobs of that count can become fewer.
local EVENTS = { accepted = false, merged = false, delivered = false, retried = false, throttled = false, reclaimed = false,
                 dead = true, expired = true, cancelled = true }

-- add(name, field, jobs, kept): counts in a key that is kept for so many seconds.
local function add(name, field, jobs, kept)
  if redis.call('HINCRBY', name, field, jobs) == jobs then redis.call('EXPIRE', name, kept) end
end

local function start_of(step)
  return string.format('%.0f', now - now % step)
end

-- bucket(kind, us): the field that counts a time.
local function bucket(kind, us)
  local of = us > 1000 and math.floor(4 * math.log(us / 1000) / math.log(2)) or 0
  return kind .. math.min(of, LAST_BUCKET)
end

-- log_time(kind, us): one more took so long.
local function log_time(kind, us)
  local field = bucket(kind, us)
  add(key.recent(start_of(RECENT)), field, 1, RECENT_KEPT)
  add(key.history(start_of(HISTORY)), field, 1, HISTORY_KEPT)
  redis.call('HINCRBY', key.totals, field, 1)
end

-- log_event(location, event, jobs): so many jobs more of what is told to those who watch.
local function log_event(location, event, jobs)
  if EVENTS[event] == nil then return end
  local step = math.floor(now % LANE_HISTORY / HISTORY)
  add(key.lane_history(location, start_of(LANE_HISTORY)), event .. ':' .. step, jobs, LANE_HISTORY_KEPT)
  if event == 'delivered' then return end
  add(key.recent(start_of(RECENT)), event, jobs, RECENT_KEPT)
  add(key.history(start_of(HISTORY)), event, jobs, HISTORY_KEPT)
  if EVENTS[event] then redis.call('HINCRBY', key.totals, event, jobs) end
end
