-- @include queue/lane
-- @include rate_limit/sync_rate_limits
-- @include rate_limit/day
-- end_request(lane, state), lose_request(lane): a request of a job in this state is out no longer; and nothing was told of the day.
local function end_request(lane, state)
  lane.outstanding = lane.outstanding - 1
  if state ~= 'in_flight' then redis.call('HINCRBY', key.lane(lane.location), 'redundant', -1) end
end

local function lose_request(lane)
  lane.lost = redis.call('HINCRBY', key.lane(lane.location), 'lost', 1)
end

-- begin_report(id, attempt, told, throttled, unsent): what the report of an attempt may still change, after its request has been answered
-- or given up: its slot is free one window from now, and what the answer told of the budgets is learned. The day has back what was
-- never sent. Returns nil for an unknown job, else
--   state, location, record, released_at, seq, priority, carries, died  of the job
--   since    when it was accepted or replayed, or later if it was not to be sent before
--   number   of the attempt's request among all of its location
--   current  the job is in flight under this attempt
--   lane     what stands in its lane
--   probe    it went out in an outage
--   replayed a person sent it again after it had died
--   leased   this attempt held the record until now, although a stale success may have delivered the job meanwhile
local function begin_report(id, attempt, rate_limit_info, throttled, unsent)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'released_at', 'attempt', 'seq', 'priority',
    'merged_count', 'number', 'was_dead', 'probe', 'accepted_at', 'not_before',
    'replayed_at', 'lost')
  if not job[1] then return nil end
  local newest = job[5] == attempt
  -- The first write is one that a full Redis allows, and with it all that follow: what was sent can always be reported.
  local leased = redis.call('ZREM', key.leases, newest and id or '') == 1
  local found = { id = id, attempt = attempt, state = job[1], location = job[2], record = job[3],
                  released_at = job[4] or '0', seq = tonumber(job[6]), priority = tonumber(job[7]), merged_count = job[8],
                  was_dead = job[10], number = newest and tonumber(job[9]), leased = leased,
                  lost = tonumber(job[15]) or 0,
                  current = leased and job[1] == 'in_flight', probe = job[11] == attempt, replayed = job[14],
                  since = math.max(tonumber(job[12]), tonumber(job[13]) or 0, tonumber(job[14]) or 0) }
  found.lane = read_lane(found.location)
  if leased then end_request(found.lane, job[1]) end
  if not sync_rate_limits(found, found.lane, rate_limit_info, throttled) and leased then
    if unsent then refund_day(found.lane, tonumber(found.released_at)) else lose_request(found.lane) end
  end
  redis.call('ZADD', key.rate_slots(found.location), now + found.lane.window, id .. ':' .. attempt)
  return found
end
