-- forget_lane: removes the hold, the brake and all limits of a lane without unfinished jobs, and ends it. If it sent a
-- request within a day, it stays until then, so that its daily quota holds: end_idle_lanes ends it.
-- ARGV:
--   1 location
--   2 kept_until   of the lane before its done jobs were removed, or ''; if it is another one now, more jobs ended
-- Returns: { 'forgotten' | 'emptied' | 'unknown' | 'waiting' | 'in_flight' | 'dead_letters', us until it ends, or -1 }
-- @include now
-- @include hold/held_time
-- @include queue/idle
-- @include queue/remove_lane
local location = ARGV[1]
local name = key.lane(location)
if redis.call('SISMEMBER', key.locations, location) == 0 and redis.call('EXISTS', name) == 0 then return { 'unknown', -1 } end
local lane = redis.call('HMGET', name, 'pending', 'in_flight', 'redundant', 'dead', 'expired', 'kept_until')
local function jobs(i) return tonumber(lane[i] or 0) or 1 end
if jobs(1) ~= 0 then return { 'waiting', -1 } end
if jobs(2) ~= 0 or jobs(3) ~= 0 then return { 'in_flight', -1 } end
if jobs(4) ~= 0 or jobs(5) ~= 0 then return { 'dead_letters', -1 } end
redis.call('HDEL', name, 'hold', 'held_by', 'held_at', 'unauthorized', 'brake_at', 'brake_gap', 'brake_probe_at',
  'brake_probe', 'brake_record', 'refused_run', 'refused_status', 'refused_shape', 'refused_epoch', 'burst', 'daily',
  'weight', 'api_burst', 'api_daily', 'api_window', 'api_raise')
if (lane[6] or '') == ARGV[2] then redis.call('HDEL', name, 'kept_until') end
end_held(location, held_clock())
local since = idle_since(location)
if since and since > now then return { 'emptied', since - now } end
if not since then return { 'emptied', -1 } end
remove_lane(location)
return { 'forgotten', 0 }
