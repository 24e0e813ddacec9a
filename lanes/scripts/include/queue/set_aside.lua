-- @include queue/notify
-- us after which a lane with a broken key is tried again. A repair makes it due at once.
local BROKEN_PAUSE = 300 * 1000000

-- report_broken(location, id, broken): names a broken job, or without `id` a broken lane.
local function report_broken(location, id, broken)
  notify(id and 'job_broken' or 'lane_broken', { location = location or nil, job = id or nil, error = broken })
end

-- set_aside(location, id, broken): a broken job leaves `ready` until a repair; it blocks its own record only. Without
-- `id` the lane is broken, and waits. It is reported once in that time, even if new jobs make it due earlier.
local function set_aside(location, id, broken)
  if id then
    redis.call('ZREM', key.ready(location), id)
  else
    redis.call('ZADD', key.due, now + BROKEN_PAUSE, location)
    if not redis.call('SET', key.broken_lane(location), broken, 'NX', 'PX', BROKEN_PAUSE / 1000) then return end
  end
  report_broken(location, id, broken)
end
