-- mend_lane: a lane is listed, held or not as its hold says, due when its jobs are, and knows how many letters it has. Again changes
-- nothing.
-- ARGV:
--   1 location   or '' for the gate of all lanes
-- Returns: 'mended'
-- @include now
-- @include gate
-- @include go_on
-- mend_requests(location): the account of requests goes by what was sent, and by what is out.
local function mend_requests(location)
  local lane = redis.call('HMGET', key.lane(location), 'released', 'api_number', 'day_seen_at', 'day_from', 'lost', 'lost_counted',
    'unsent', 'day_base')
  for i = 1, 8 do lane[i] = tonumber(lane[i]) or 0 end
  local released, unsent = lane[1], math.min(lane[7], lane[1])
  local redundant = 0
  for _, id in ipairs(redis.call('ZRANGE', key.leases, 0, -1)) do
    local job = redis.call('HMGET', key.job(id), 'location', 'state')
    if job[1] == location and job[2] == 'delivered' then redundant = redundant + 1 end
  end
  redis.call('HSET', key.lane(location), 'api_number', math.min(lane[2], released), 'day_seen_at', math.min(lane[3], released),
    'day_from', math.min(lane[4], released), 'lost_counted', math.min(lane[6], lane[5]),
    'unsent', unsent, 'day_base', math.min(lane[8], released - unsent),
    'redundant', redundant)
end

local location = ARGV[1]
if location == '' then
  set_gate()
  return 'mended'
end
redis.call('SADD', key.locations, location)
local letters = 0
for _, some in ipairs(redis.call('HVALS', key.letters(location))) do letters = letters + (tonumber(some) or 0) end
redis.call('HSET', key.lane(location), 'letters', letters)
mend_requests(location)
if redis.call('HGET', key.lane(location), 'hold') then
  redis.call('ZREM', key.due, location)
  begin_held(location, held_clock())
else
  end_held(location, held_clock())
  redis.call('ZREM', key.due, location)
  go_on(location)
end
return 'mended'
