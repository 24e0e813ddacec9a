-- Time for which lanes were kept from sending, by a hold or an outage. `held` has a text for each location that ever was
-- held, and one under '' for all together: '=us' in total, or '-us' while it goes on: the total is then the clock less that. The
-- clock of a location stands still while all are held, so that no time counts twice.
local function held_total(text, clock)
  if not text then return 0 end
  local us = tonumber(string.sub(text, 2))
  return string.sub(text, 1, 1) == '=' and us or clock - us
end

-- held_clock(): the time of which locations are held.
local function held_clock()
  return now - held_total(redis.call('HGET', key.held_time, ''), now)
end

-- begin_held(name, clock), end_held(name, clock): from now on the time counts, or counts no more; again changes nothing.
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

-- held_time(location): us for which a job of the location could not be sent, since the beginning.
local function held_time(location)
  local texts = redis.call('HMGET', key.held_time, '', location)
  local all = held_total(texts[1], now)
  return all + held_total(texts[2], now - all)
end
