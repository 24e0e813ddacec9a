-- record_statistics: adds to the series, in steps of 10 s for an hour, of 5 min for a day, and for each lane of 5 min:
-- durations that workers counted, and what the counters grew by since they were sampled. About once a second it samples
-- the counters of all lanes, and those of some lanes in turn. A broken key stops nothing.
-- ARGV:
--   1.. bucket of durations, their number, repeated
-- Returns: 1 when counters were sampled, else 0
-- @include now
local INTERVAL = 900000  -- us between two samples
local LANES = 250        -- lanes in a sample
local RECENT, HISTORY, LANE_HISTORY = 10 * 1000000, 300 * 1000000, 14400 * 1000000
local RECENT_KEPT, HISTORY_KEPT, LANE_HISTORY_KEPT = 3900, 90300, 104400
-- The events, by where their counts never go down: `counts` or a lane; `totals`, or fields of a lane.
local COUNTED = { 'accepted', 'merged', 'delivered', 'retried', 'throttled', 'reclaimed' }
local ENDED = { 'dead', 'expired', 'cancelled' }
local EVENTS = { unpack(COUNTED) }
local LANE_FIELDS = { unpack(COUNTED) }
for _, event in ipairs(ENDED) do
  EVENTS[#EVENTS + 1] = event
  LANE_FIELDS[#LANE_FIELDS + 1] = event .. '_total'
end

-- A full Redis allows HDEL, and then all later writes: statistics matter most when it is full.
redis.pcall('HDEL', key.sampled, '')

local function start_of(step)
  return string.format('%.0f', now - now % step)
end

local function add(name, field, number, kept)
  if redis.pcall('HINCRBY', name, field, number) == number then redis.pcall('EXPIRE', name, kept) end
end

local recent_start, history_start, lane_history_start = start_of(RECENT), start_of(HISTORY), start_of(LANE_HISTORY)
local recent, history = key.recent(recent_start), key.history(history_start)

local function add_to_series(field, number)
  add(recent, field, number, RECENT_KEPT)
  add(history, field, number, HISTORY_KEPT)
end

-- read(name, fields): returns fields of a hash, false for missing ones; {} for a key of another type.
local function read(name, fields)
  local values = redis.pcall('HMGET', name, unpack(fields))
  return values.err and {} or values
end

-- growth(value, sampled): returns what a counter grew by; 0 if one cannot be read. A repair may have corrected it down.
local function growth(value, sampled)
  value, sampled = tonumber(value or ''), tonumber(sampled or 0)
  return value and sampled and value - sampled or 0
end

-- sample_all(sampled): samples the counters of all lanes.
local function sample_all(sampled)
  local counts, ended = read(key.counts, COUNTED), read(key.totals, ENDED)
  for i, event in ipairs(EVENTS) do
    local value = i <= #COUNTED and counts[i] or i > #COUNTED and ended[i - #COUNTED]
    local number = growth(value, sampled[i])
    if number > 0 then add_to_series(event, number) end
    if value and value ~= sampled[i] then redis.pcall('HSET', key.sampled, event, value) end
  end
end

-- sample_lane(location): samples the counters of a lane. It keeps what they were in its field `sampled`.
local function sample_lane(location)
  local lane = key.lane(location)
  local counts = read(lane, LANE_FIELDS)
  for i in ipairs(LANE_FIELDS) do counts[i] = counts[i] or 0 end
  local found, before = table.concat(counts, ' '), redis.pcall('HGET', lane, 'sampled')
  if type(before) == 'table' or found == before then return end
  local name, step = key.lane_history(location, lane_history_start), math.floor(now % LANE_HISTORY / HISTORY)
  local sampled = string.gmatch(before or '', '%S+')
  for i, event in ipairs(EVENTS) do
    local number = growth(counts[i], sampled())
    if number > 0 then add(name, event .. ':' .. step, number, LANE_HISTORY_KEPT) end
  end
  redis.pcall('HSET', lane, 'sampled', found)
end

for at = 1, #ARGV, 2 do
  local bucket, number = ARGV[at], tonumber(ARGV[at + 1])
  add_to_series(bucket, number)
  redis.pcall('HINCRBY', key.totals, bucket, number)
end
local sampled = redis.pcall('HMGET', key.sampled, 'at', 'cursor', unpack(EVENTS))
if sampled.err then return 0 end
local at, cursor = tonumber(table.remove(sampled, 1) or 0), table.remove(sampled, 1)
if at and now >= at and now - at < INTERVAL then return 0 end
sample_all(sampled)
local page = redis.pcall('SSCAN', key.locations, tonumber(cursor or 0) or 0, 'COUNT', LANES)
if not page.err then
  for _, location in ipairs(page[2]) do sample_lane(location) end
end
redis.pcall('HSET', key.sampled, 'at', now, 'cursor', page[1] or 0)
return 1
