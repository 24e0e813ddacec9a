-- @include rate_limit/next_request
-- @include queue/schedule
-- recheck_rate_limit(lane): a report may end the wait for the rate limit early.
local function recheck_rate_limit(lane)
  local until_at = limited_until(lane) or now
  if until_at < lane.rate_limited_until then
    set(lane, 'rate_limited_until', until_at)
    write_lane(lane)
    if redis.call('ZSCORE', key.due, lane.location) then schedule(lane.location, until_at) end
  end
  write_lane(lane)
end
