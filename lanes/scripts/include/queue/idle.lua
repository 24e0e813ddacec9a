-- @include rate_limit/limit_in_force
-- What a person set, or the API's refusals did: such a lane stays.
local IDLE_UNSET = { 'hold', 'unauthorized', 'brake_at', 'burst', 'daily', 'weight' }
-- Jobs that are not done, and requests without a report.
local IDLE_ZERO = { 'pending', 'in_flight', 'redundant', 'dead', 'expired', 'dead_letters' }
local IDLE_UNTIL = { 'kept_until', 'backoff_until', 'rate_limited_until', 'throttled_until', 'pacing_until',
                     'shared_until', 'day_resets_at' }
local IDLE_DAY = 86400 * 1000000
local IDLE_QUARTER = 900 * 1000000

-- idle_since(location): returns from when on nobody needs the lane: its done jobs can no longer be read, its pauses and
-- its rate window are over, and a day has passed since its last request. Returns nil if the lane has a job that is not
-- done, a request without a report, a hold, a brake, a limit or weight that a person set, or a limit of the API below
-- the default: a new lane would exceed it. Also nil for a value that cannot be read. `rate_slots` keeps the last
-- request until the next.
local function idle_since(location)
  local name = key.lane(location)
  for _, value in ipairs(redis.call('HMGET', name, unpack(IDLE_UNSET))) do
    if value then return nil end
  end
  for _, value in ipairs(redis.call('HMGET', name, unpack(IDLE_ZERO))) do
    if value and value ~= '0' then return nil end
  end
  local api_limits = redis.call('HMGET', name, 'api_burst', 'api_daily')
  if (tonumber(api_limits[1]) or DEFAULT_BURST) < DEFAULT_BURST then return nil end
  if (tonumber(api_limits[2]) or DEFAULT_DAILY) < DEFAULT_DAILY then return nil end
  if redis.call('EXISTS', key.ready(location), key.delayed(location), key.active(location),
    key.dead_letter_counts(location)) > 0 then return nil end
  local since = 0
  for _, value in ipairs(redis.call('HMGET', name, unpack(IDLE_UNTIL))) do
    local at = tonumber(value or 0)
    if not at then return nil end
    since = math.max(since, at)
  end
  local quarter = redis.call('HGET', name, 'day_quarter')
  if quarter then
    if not tonumber(quarter) then return nil end
    since = math.max(since, (tonumber(quarter) + 1) * IDLE_QUARTER + IDLE_DAY)
  end
  local sent = tonumber(redis.call('ZRANGE', key.rate_slots(location), -1, -1, 'WITHSCORES')[2] or 0)
  local foreign = tonumber(redis.call('ZRANGE', key.foreign_requests(location), -1, -1, 'WITHSCORES')[2] or 0)
  if not (sent and foreign) then return nil end
  return math.max(since, sent > 0 and sent + IDLE_DAY or 0, foreign)
end
