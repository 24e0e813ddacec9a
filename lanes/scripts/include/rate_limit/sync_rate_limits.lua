-- @include rate_limit/budget
-- @include rate_limit/follow_api_limits
-- @include rate_limit/sync_day
-- sync_rate_limits(job, lane, rate_limit_info, throttled): corrects our count of requests by the API's answer, since
-- others may send, too. The info is text: limit of the window, what is left, the window in us, limit of the day, what
-- is left, us until it resets; - where missing. The answer counts all requests up to its own. Returns whether it is
-- about the current day.
local SHARED_FOR = 60 * 1000000

-- set_foreign_requests(lane, count): of requests of others in the window. New ones came now; the oldest leave first.
local function set_foreign_requests(lane, count)
  local foreign_requests = key.foreign_requests(lane.location)
  redis.call('ZREMRANGEBYSCORE', foreign_requests, '-inf', now)
  local known = redis.call('ZCARD', foreign_requests)
  if count < known then redis.call('ZPOPMIN', foreign_requests, known - count) end
  for i = known + 1, count do redis.call('ZADD', foreign_requests, now + lane.window, string.format('%.0f:%d', now, i)) end
  if count > known then redis.call('PEXPIRE', foreign_requests, math.ceil(lane.window / 1000)) end
end

-- sync_window(lane, since, burst, used, throttled): `used` requests were in the window when a request sent at `since`
-- arrived. More than ours can be prove that others send; so does a 429 when ours cannot fill the window (`burst` is the
-- API's lowest limit by then). From then on, for a while, ours are counted by the times at which they were sent.
local function sync_window(lane, since, burst, used, throttled)
  if now - since > REMEMBERED then return end
  local after = '(' .. string.format('%.0f', since)
  local max_count = redis.call('ZCOUNT', key.rate_slots(lane.location), after, '+inf')
  local shared = lane.shared_until > now
  if throttled and max_count <= burst or used > max_count then
    lane.shared_since, lane.shared_until = shared and lane.shared_since or now, now + SHARED_FOR
    redis.call('HSET', key.lane(lane.location), 'shared_since', lane.shared_since, 'shared_until', lane.shared_until)
  elseif not shared then
    return
  end
  local ours = max_count
  if lane.shared_since <= since - lane.window then
    ours = redis.call('ZCOUNT', key.sent(lane.location), '(' .. string.format('%.0f', since - lane.window), since)
  end
  set_foreign_requests(lane, math.max(0, used - ours))
end

local function sync_rate_limits(job, lane, rate_limit_info, throttled)
  if rate_limit_info == '' then return false end
  local burst, left, window, daily, day_left, day_resets = string.match(rate_limit_info, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  burst, left, daily, day_left = tonumber(burst), tonumber(left), tonumber(daily), tonumber(day_left)
  if not job.number or job.number > lane.released then return false end
  follow_api_limits(lane, job.number, { burst = burst, window = tonumber(window), daily = daily })
  local of_window = throttled and day_left ~= 0
  if burst and left then sync_window(lane, tonumber(job.released_at), burst, burst - left, of_window) end
  return daily and day_left and sync_day(lane, job, daily - day_left, tonumber(day_resets)) or false
end
