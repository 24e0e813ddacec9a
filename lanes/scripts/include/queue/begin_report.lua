-- @include queue/lane
-- @include rate_limit/sync_rate_limits
-- @lazy rate_limit/day
-- begin_report(id, attempt, rate_limit_info, throttled, unsent): ends a request: its rate slot is free one window from
-- now, the rate limits follow the answer, and a request that was never sent is refunded. Returns nil for an unknown
-- job, else its fields and
--   since    when it was accepted or replayed, or its not_before if later
--   number   of the request among those of its location
--   current  the job is in flight with this attempt
--   lane     fields of the lane; the caller writes it
--   probe    it was a probe of an outage
--   replayed a person replayed the job
--   leased   this attempt occupied the record until now, although a stale success may have delivered the job
local function begin_report(id, attempt, rate_limit_info, throttled, unsent)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'released_at', 'attempt', 'seq', 'priority',
    'merged_count', 'number', 'was_dead', 'probe', 'accepted_at', 'not_before', 'replayed_at', 'lost', 'worker', 'reason')
  local state, location = job[1], job[2]
  if not state then return nil end
  local newest = job[5] == attempt
  -- A full Redis allows ZREM, and then all later writes: what was sent can always be reported.
  local leased = redis.call('ZREM', key.leases, newest and id or '') == 1
  local lane = read_lane(location)
  local found = { id = id, attempt = attempt, state = state, location = location, record = job[3], lane = lane,
                  released_at = job[4] or '0', seq = tonumber(job[6]), priority = tonumber(job[7]), merged_count = job[8],
                  was_dead = job[10], number = newest and tonumber(job[9]), leased = leased,
                  lost = tonumber(job[15]) or 0, worker = job[16], reason = job[17],
                  current = leased and state == 'in_flight', probe = job[11] == attempt, replayed = job[14],
                  since = math.max(tonumber(job[12]), tonumber(job[13]) or 0, tonumber(job[14]) or 0) }
  if leased then
    lane.outstanding = lane.outstanding - 1
    if state ~= 'in_flight' then set(lane, 'redundant', lane.redundant - 1) end
  end
  if not sync_rate_limits(found, lane, rate_limit_info, throttled) and leased then
    if unsent then
      day().refund_day(lane, tonumber(found.released_at))
    else
      set(lane, 'lost', lane.lost + 1)
    end
  end
  redis.call('ZADD', key.rate_slots(location), now + lane.window, id .. ':' .. attempt)
  return found
end
