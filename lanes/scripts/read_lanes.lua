-- read_lanes: lanes in numbers. Read-only.
-- ARGV: locations
-- Returns: { fields and values, requests in the window, us until it is due, us since its oldest job was accepted, us
--   until its next probe, what stops all lanes if it would be due without that: 'all_held', 'all_braked' or 'outage' }
--   a lane; '' for none
-- @include read_only
-- @include now
-- @include queue/oldest
local after = '(' .. string.format('%.0f', now)
local global_state = redis.call('HMGET', key.global_state, 'hold', 'cause', 'outage_since')
local stop = global_state[1] and 'all_held' or global_state[2] and 'all_braked' or global_state[3] and 'outage'
-- What decides which other keys are read: an idle lane costs two commands, one with due jobs about five.
local ASKED = { pending = true, released = true, shared_since = true, brake_at = true, brake_probe_at = true, brake_probe = true }
local lanes, due_times = {}, #ARGV > 0 and redis.call('ZMSCORE', key.due, unpack(ARGV)) or {}
for i, location in ipairs(ARGV) do
  local fields, lane = redis.call('HGETALL', key.lane(location)), {}
  for at = 1, #fields, 2 do
    if ASKED[fields[at]] then lane[fields[at]] = fields[at + 1] end
  end
  local used = lane.released and redis.call('ZCOUNT', key.rate_slots(location), after, '+inf') or 0
  if lane.shared_since then used = used + redis.call('ZCOUNT', key.foreign_requests(location), after, '+inf') end
  local due = tonumber(due_times[i])
  local first = lane.pending and lane.pending ~= '0' and oldest(location)
  local braked, probe_at = lane.brake_at, now
  if braked and not lane.brake_probe then
    -- The next probe waits for its gap, and for anything else that stops the lane.
    probe_at = math.max(now, tonumber(lane.brake_probe_at) or 0, due or 0)
    due = due and probe_at
  end
  local waits_for = due and stop or ''
  if stop then due = nil end
  lanes[#lanes + 1] = { fields, used, due and math.max(0, due - now) or '', first and now - first or '',
                        braked and probe_at - now or '', waits_for }
end
return answer(lanes)
