-- Fields of a lane that can postpone its jobs.
local PAUSES = { 'hold', 'backoff_until', 'rate_limited_until', 'throttled_until', 'brake_probe_at' }

-- due_from(at, hold, ...): returns when a lane with jobs for `at` is due, by its PAUSES: later if paused or limited,
-- never (nil) if held.
local function due_from(at, hold, backoff_until, rate_limited_until, throttled_until, brake_probe_at)
  if hold then return nil end
  return math.max(at, now, tonumber(backoff_until) or 0, tonumber(rate_limited_until) or 0, tonumber(throttled_until) or 0,
    tonumber(brake_probe_at) or 0)
end

-- make_due(entries): makes lanes due; `entries` has a time and a location for each. Never postpones; a release that is
-- too early does. Wakes the dispatchers when one of these lanes is now the first.
local function make_due(entries)
  if redis.call('ZADD', key.due, 'LT', 'CH', unpack(entries)) == 0 then return end
  local at = entries[1]
  for i = 3, #entries, 2 do at = math.min(at, entries[i]) end
  local first = redis.call('ZRANGE', key.due, 0, 0, 'WITHSCORES')
  if tonumber(first[2]) == at then redis.call('PUBLISH', key.wake, '') end
end
