-- The counts that a lane without unfinished jobs can have.
local ENDED_COUNTS = { 'accepted', 'delivered', 'cancelled', 'merged', 'retried', 'throttled', 'reclaimed' }

-- remove_lane(location): adds the counts of the lane to those of all ended lanes and deletes its keys. What makes a
-- repeated enqueue harmless (idempotency keys, event times) and its series stay until they expire. It reads first: a
-- value that cannot be read must not leave a lane half removed.
local function remove_lane(location)
  local name, changes = key.lane(location), {}
  local function change(field, value)
    changes[#changes + 1], changes[#changes + 2] = field, string.format('%.0f', value)
  end
  local function read(of, field)
    local number = tonumber(redis.call('HGET', of, field) or 0)
    if not (number and math.abs(number) < 2 ^ 53) then error(of .. ' ' .. field .. ' is no number', 0) end
    return number
  end
  for _, field in ipairs(ENDED_COUNTS) do
    local jobs = read(name, field)
    if jobs ~= 0 then change(field, jobs + read(key.ended_lanes, field)) end
  end
  change('lanes', read(key.ended_lanes, 'lanes') + 1)
  change('seq', math.max(read(key.ended_lanes, 'seq'), read(name, 'seq')))
  -- A full Redis allows SREM, and then all later writes: the end of a lane frees memory.
  redis.call('SREM', key.locations, location)
  redis.call('HSET', key.ended_lanes, unpack(changes))
  redis.call('ZREM', key.due, location)
  redis.call('HDEL', key.held_time, location)
  redis.call('DEL', name, key.ready(location), key.delayed(location), key.active(location), key.rate_slots(location),
    key.sent(location), key.foreign_requests(location), key.day(location), key.dead_letter_counts(location),
    key.newest_delivered(location), key.broken_lane(location))
end
