local SHARED_FOR = 60 * 1000000

-- set_foreign_requests(lane, count): of requests of others in the window. New ones came now; the oldest leave first.
local function set_foreign_requests(lane, count)
  local foreign_requests = key.foreign_requests(lane.location)
  redis.call('ZREMRANGEBYSCORE', foreign_requests, '-inf', now)
  local known = redis.call('ZCARD', foreign_requests)
  if count < known then redis.call('ZPOPMIN', foreign_requests, known - count) end
  for i = known + 1, count do redis.call('ZADD', foreign_requests, now + lane.window, string.format('%.0f:%d', now, i)) end
  if count > known then redis.call('PEXPIRE', foreign_requests, math.ceil(lane.window / 1000)) end
end

-- sync_window(lane, since, used, max_count, others): `used` requests were in the window when a request sent at `since`
-- arrived, ours at most `max_count` of them. `others` tells that others send: for a while from then on, ours are
-- counted by the times at which they were sent.
local function sync_window(lane, since, used, max_count, others)
  if others then
    set(lane, 'shared_since', lane.shared_until > now and lane.shared_since or now)
    set(lane, 'shared_until', now + SHARED_FOR)
  end
  local ours = max_count
  if lane.shared_since <= since - lane.window then
    ours = redis.call('ZCOUNT', key.sent(lane.location), '(' .. string.format('%.0f', since - lane.window), since)
  end
  set_foreign_requests(lane, math.max(0, used - ours))
end
