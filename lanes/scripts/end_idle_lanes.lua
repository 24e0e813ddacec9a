-- end_idle_lanes: ends lanes that nobody needs any more (see idle.lua). A new job of such a location begins a new lane.
-- ARGV:
--   1 cursor      where the last call stopped, or 0
--   2 max_count   lanes to check, approximately
-- Returns: { cursor for the next call, 0 at the end; locations whose lanes ended }
-- @include now
-- @include queue/idle
-- @include queue/remove_lane
-- @include queue/isolate
local function end_if_idle(location)
  local since = idle_since(location)
  if not since or since > now then return false end
  remove_lane(location)
  return true
end

local found, ended = redis.call('SSCAN', key.locations, ARGV[1], 'COUNT', ARGV[2]), {}
for _, location in ipairs(found[2]) do
  -- A broken lane stays: the consistency check reports it.
  local readable, removed = isolate(location, nil, end_if_idle, location)
  if readable and removed then ended[#ended + 1] = location end
end
return { found[1], ended }
