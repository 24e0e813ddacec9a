-- Time for which lanes were held, braked or stopped by an outage. `held_time` has one text for each location, and ''
-- for all lanes: '=us' in total, or '-us' while it lasts: the total is then the clock minus that. A location's clock
-- stops while all lanes are stopped, so that no time counts twice.
local function held_total(text, clock)
  if not text then return 0 end
  local us = tonumber(string.match(text, '^[=-](-?%d+)$'))
  if not us then return 0 end  -- the consistency check finds it
  return string.sub(text, 1, 1) == '=' and us or clock - us
end

-- held_clock(): returns the clock of the locations.
local function held_clock()
  return now - held_total(redis.call('HGET', key.held_time, ''), now)
end

-- begin_held(name, clock), end_held(name, clock): starts and stops counting. Both are idempotent.
local function begin_held(name, clock)
  local text = redis.call('HGET', key.held_time, name)
  if text and string.sub(text, 1, 1) == '-' then return end
  redis.call('HSET', key.held_time, name, '-' .. string.format('%.0f', clock - held_total(text, clock)))
end

local function end_held(name, clock)
  local text = redis.call('HGET', key.held_time, name)
  if not text or string.sub(text, 1, 1) == '=' then return end
  redis.call('HSET', key.held_time, name, '=' .. string.format('%.0f', held_total(text, clock)))
end

-- held_time(location): returns us for which the location's jobs could not be sent, in total.
local function held_time(location)
  local texts = redis.call('HMGET', key.held_time, '', location)
  local all = held_total(texts[1], now)
  return all + held_total(texts[2], now - all)
end
