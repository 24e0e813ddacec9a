-- @include queue/notify
-- follow_api_limits(lane, number, rate_limit_info): the limits follow the API's headers, up to a stricter limit that a
-- person set. The info has burst, window (us) and daily, nil where missing; `number` is its request's, a newer one than
-- the last that counted. A lower limit applies at once. A higher one applies after two such answers in a row, as the
-- lower of the two; while others share the limit, also not before a whole window has passed. Requests in flight at a
-- change are ignored. A window is never shorter than that of the settings. `api_raise` keeps the first higher answer:
-- burst, since, daily, since (us; - for none).
local function read_raise(text)
  local raise = {}
  local burst, burst_at, daily, daily_at = string.match(text or '', '^(%S+) (%S+) (%S+) (%S+)$')
  if tonumber(burst) then raise.burst = { value = tonumber(burst), at = tonumber(burst_at) } end
  if tonumber(daily) then raise.daily = { value = tonumber(daily), at = tonumber(daily_at) } end
  return raise
end

local function write_raise(raise)
  local function each(one) return one and string.format('%.0f %.0f', one.value, one.at) or '- -' end
  return each(raise.burst) .. ' ' .. each(raise.daily)
end

-- follow(lane, name, value, raise): returns the API's new limit, or nil for no change.
local function follow(lane, name, value, raise)
  local known, first = lane['api_' .. name] or lane[name], raise[name]
  if not value then return nil end
  if value <= known then
    raise[name] = nil
    return value ~= lane['api_' .. name] and value or nil
  end
  if not first then
    raise[name] = { value = value, at = now }
    return nil
  end
  first.value = math.min(first.value, value)
  if lane.shared_until > now and now - first.at < lane.window then return nil end
  raise[name] = nil
  return first.value
end

-- set_limit(lane, name, value, default): stores the API's limit. Notifies and returns true if that in force changed.
local function set_limit(lane, name, value, default)
  local before = lane[name]
  set(lane, 'api_' .. name, value)
  lane[name] = limit_in_force(lane['cap_' .. name], value, default)
  if lane[name] == before then return false end
  notify('limit_changed', { location = lane.location, limit = name, before = before, now = lane[name] })
  return true
end

local function follow_api_limits(lane, number, rate_limit_info)
  local raise = read_raise(lane.api_raise)
  local changed = false
  for name, default in pairs({ burst = DEFAULT_BURST, daily = DEFAULT_DAILY }) do
    local value = follow(lane, name, rate_limit_info[name], raise)
    if value then changed = set_limit(lane, name, value, default) or changed end
  end
  if rate_limit_info.window and rate_limit_info.window ~= lane.api_window then
    set(lane, 'api_window', rate_limit_info.window)
    lane.window = math.max(limits.window, rate_limit_info.window)
  end
  if raise.burst or raise.daily then
    set(lane, 'api_raise', write_raise(raise))
  elseif lane.api_raise then
    redis.call('HDEL', key.lane(lane.location), 'api_raise')
  end
  set(lane, 'api_number', changed and lane.released or number)
end
