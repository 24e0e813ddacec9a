-- count_due: counts the jobs that could be sent now. Read-only.
-- ARGV:
--   1 max_count   count no further
--   2 burst       requests of a location in a window, or '' if not set
--   3 unservable  worker whose `unservable` locations are not counted, or ''
-- Returns: { due jobs, at most max_count; us until the first lane is due, 0 if one is, -1 if none will be }
-- @include now
-- @include breaker/global_state
-- @include rate_limit/limit_in_force
-- @include queue/servable
local max_count, burst, unservable = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local first = redis.call('ZRANGE', key.due, 0, 0, 'WITHSCORES')
local offset = first[1] == '' and 1 or 0
if offset == 1 then
  local free, at = half_open_capacity()
  if free <= 0 then return { 0, at and at - now or -1 } end
  max_count = math.min(max_count, free)
  first = redis.call('ZRANGE', key.due, 1, 1, 'WITHSCORES')
end
if not first[1] then return { 0, -1 } end
if tonumber(first[2]) > now then return { 0, tonumber(first[2]) - now } end
local locations = due_locations(unservable, offset, max_count)
if not locations[1] then return { 0, UNSERVABLE_PAUSE } end
local function count_jobs(location)
  local jobs = redis.call('ZCARD', key.ready(location)) + redis.call('ZCOUNT', key.delayed(location), '-inf', now)
  local lane = redis.call('HMGET', key.lane(location), 'burst', 'gap', 'api_burst', 'brake_at')
  local limit = limit_in_force(tonumber(lane[1]) or burst, tonumber(lane[3]), DEFAULT_BURST)
  if lane[2] or lane[4] then jobs = math.min(jobs, 1) end  -- it sends single probes
  local free = limit - redis.call('ZCOUNT', key.rate_slots(location), '(' .. string.format('%.0f', now), '+inf')
  return math.min(jobs, math.max(free, 0))
end

local due = 0
for _, location in ipairs(locations) do
  local readable, jobs = pcall(count_jobs, location)
  due = due + (readable and jobs or 1)  -- a release sets a broken lane aside
  if due >= max_count then return { max_count, 0 } end
end
return { math.max(due, 1), 0 }
