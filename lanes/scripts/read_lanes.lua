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
local lanes = {}
for _, location in ipairs(ARGV) do
  local used = redis.call('ZCOUNT', key.rate_slots(location), after, '+inf')
    + redis.call('ZCOUNT', key.foreign_requests(location), after, '+inf')
  local brake = redis.call('HMGET', key.lane(location), 'brake_at', 'brake_probe_at', 'brake_probe')
  local due, first = tonumber(redis.call('ZSCORE', key.due, location)), oldest(location)
  local probe_at = now
  if brake[1] and not brake[3] then
    -- The next probe waits for its gap, and for anything else that stops the lane.
    probe_at = math.max(now, tonumber(brake[2]) or 0, due or 0)
    due = due and probe_at
  end
  local waits_for = due and stop or ''
  if stop then due = nil end
  lanes[#lanes + 1] = { redis.call('HGETALL', key.lane(location)), used, due and math.max(0, due - now) or '',
                        first and now - first or '', brake[1] and probe_at - now or '', waits_for }
end
return answer(lanes)
