-- @include rate_limit/periods
-- @include rate_limit/sync_day
-- @lazy rate_limit/follow_api_limits
-- @lazy rate_limit/sync_window
-- sync_rate_limits(job, lane, rate_limit_info, throttled): corrects our count of requests by the API's answer, since
-- others may send, too. The info is text: limit of the window, what is left, the window in us, limit of the day, what
-- is left, us until it resets; - where missing. The answer counts all requests up to its own. Returns whether it is
-- about the current day.
local function sync_rate_limits(job, lane, rate_limit_info, throttled)
  if rate_limit_info == '' then return false end
  local burst, left, window, daily, day_left, day_resets = string.match(rate_limit_info, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  burst, left, window, daily, day_left = tonumber(burst), tonumber(left), tonumber(window), tonumber(daily), tonumber(day_left)
  local number = job.number
  if not number or number > lane.released then return false end
  if number > lane.api_number and (burst or window or daily) then
    local known = (not burst or burst == lane.api_burst) and (not daily or daily == lane.api_daily)
    if known and (not window or window == lane.api_window) and not lane.api_raise then
      set(lane, 'api_number', number)
    else
      follow_api_limits().follow_api_limits(lane, number, { burst = burst, window = window, daily = daily })
    end
  end
  local since = tonumber(job.released_at)
  if burst and left and now - since <= REMEMBERED then
    local used = burst - left
    local max_count = redis.call('ZCOUNT', key.rate_slots(lane.location), '(' .. job.released_at, '+inf')
    -- More than ours can be: others send. So does a 429 when ours cannot fill the API's lowest limit by then.
    local others = used > max_count or throttled and day_left ~= 0 and max_count <= burst
    if others or lane.shared_until > now then sync_window().sync_window(lane, since, used, max_count, others) end
  end
  return daily and day_left and sync_day(lane, job, daily - day_left, tonumber(day_resets)) or false
end
