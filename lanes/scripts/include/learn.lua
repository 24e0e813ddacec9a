-- @include lane
-- @include budget
-- learn(job, lane, told): what the API's answer told of the location's budgets corrects our account of them, because others
-- may spend them too. `told` is text: the limit of the window, what is left of it, the window in us, the limit of the day,
-- what is left of it, us until it begins anew; - where the API did not say. The answer counts all requests up to its own,
-- which was the `number`th of ours.
local SHARED_FOR = 60 * 1000000
local SAME_DAY = 60 * 1000000

-- learn_limits(lane, told): the limits themselves, when they are not those that are known; they hold from this report on.
local function learn_limits(lane, told)
  local changed = false
  for name, value in pairs(told) do
    if value ~= lane[name] then
      redis.call('HSET', key.lane(lane.location), name, value)
      changed = true
    end
  end
  if not changed then return end
  for name, value in pairs(read_lane(lane.location)) do lane[name] = value end
end

-- learn_day(lane, number, used, resets_in): the day's requests, those of others among them.
local function learn_day(lane, number, used, resets_in)
  local base = number - used
  local resets_at = resets_in and now + resets_in
  local same_day = not resets_at or (lane.day_resets_at and math.abs(resets_at - lane.day_resets_at) < SAME_DAY)
  if not same_day then
    redis.call('HSET', key.lane(lane.location), 'day_base', base, 'day_resets_at', resets_at)
  elseif base < lane.day_base then
    redis.call('HSET', key.lane(lane.location), 'day_base', base)
  end
end

-- set_others(lane, count): so many requests of others stand in the window. New ones came just now; the oldest leave first.
local function set_others(lane, count)
  local others = key.others(lane.location)
  redis.call('ZREMRANGEBYSCORE', others, '-inf', now)
  local known = redis.call('ZCARD', others)
  if count < known then redis.call('ZPOPMIN', others, known - count) end
  for i = known + 1, count do redis.call('ZADD', others, now + lane.window, string.format('%.0f:%d', now, i)) end
  if count > known then redis.call('PEXPIRE', others, math.ceil(lane.window / 1000)) end
end

-- learn_window(lane, since, used): `used` requests stood in the window when a request came that was sent at `since`. More
-- than all of ours that can have stood there are a proof of others. From then on, for a while, ours are counted by the times
-- at which they were sent.
local function learn_window(lane, since, used, throttled)
  if now - since > REMEMBERED then return end
  local after = '(' .. string.format('%.0f', since)
  local most = redis.call('ZCOUNT', key.slots(lane.location), after, '+inf')
  local shared = lane.shared_until > now
  if throttled or used > most then
    lane.shared_since, lane.shared_until = shared and lane.shared_since or now, now + SHARED_FOR
    redis.call('HSET', key.lane(lane.location), 'shared_since', lane.shared_since, 'shared_until', lane.shared_until)
  elseif not shared then
    return
  end
  local ours = most
  if lane.shared_since <= since - lane.window then
    ours = redis.call('ZCOUNT', key.sent(lane.location), '(' .. string.format('%.0f', since - lane.window), since)
  end
  set_others(lane, math.max(0, used - ours))
end

local function learn(job, lane, told, throttled)
  if told == '' then return end
  local burst, left, window, daily, day_left, day_resets = string.match(told, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  burst, left, daily, day_left = tonumber(burst), tonumber(left), tonumber(daily), tonumber(day_left)
  learn_limits(lane, { api_burst = burst, api_window = tonumber(window), api_daily = daily })
  if not job.number then return end
  if burst and left then learn_window(lane, tonumber(job.released_at), burst - left, throttled) end
  if daily and day_left then learn_day(lane, job.number, daily - day_left, tonumber(day_resets)) end
end
