-- @include queue/lane
-- @include rate_limit/sync_rate_limits
-- @include rate_limit/day
-- @include history/read_done
-- end_request(lane, state), lose_request(lane): a request of a job in this state has ended; it is lost.
local function end_request(lane, state)
  lane.outstanding = lane.outstanding - 1
  if state ~= 'in_flight' then redis.call('HINCRBY', key.lane(lane.location), 'redundant', -1) end
end

local function lose_request(lane)
  lane.lost = redis.call('HINCRBY', key.lane(lane.location), 'lost', 1)
end

local REPORTED = { 'state', 'location', 'record', 'released_at', 'attempt', 'seq', 'priority', 'number', 'probe', 'accepted_at',
                   'not_before', 'replayed_at', 'lost' }

-- begin_report(id, attempt, rate_limit_info, throttled, unsent): ends a request: its rate slot is free one window from
-- now, the rate limits follow the answer, and a request that was never sent is refunded. Returns nil for an unknown
-- job, else its fields and
--   since    when it was accepted or replayed, or its not_before if later
--   number   of the request among those of its location
--   current  the job is in flight with this attempt
--   lane     fields of the lane
--   probe    it was a probe of an outage
--   replayed a person replayed the job
--   done     what `read_done` returned, for a job that is done
--   leased   this attempt occupied the record until now, although a stale success may have delivered the job
local function begin_report(id, attempt, rate_limit_info, throttled, unsent)
  local job, done = redis.call('HMGET', key.job(id), unpack(REPORTED)), nil
  if not job[1] then
    done = read_done(id)
    if not done then return nil end
    for i, name in ipairs(REPORTED) do job[i] = done.fields[name] end
  end
  local newest = job[5] == attempt
  -- A full Redis allows ZREM, and then all later writes: what was sent can always be reported.
  local leased = redis.call('ZREM', key.leases, newest and id or '') == 1
  local found = { id = id, attempt = attempt, state = job[1], location = job[2], record = job[3],
                  released_at = job[4] or '0', seq = tonumber(job[6]), priority = tonumber(job[7]), done = done,
                  number = newest and tonumber(job[8]), leased = leased, lost = tonumber(job[13]) or 0,
                  current = leased and job[1] == 'in_flight', probe = done or job[9] == attempt, replayed = job[12],
                  since = math.max(tonumber(job[10]), tonumber(job[11]) or 0, tonumber(job[12]) or 0) }
  found.lane = read_lane(found.location)
  if leased then end_request(found.lane, job[1]) end
  if not sync_rate_limits(found, found.lane, rate_limit_info, throttled) and leased then
    if unsent then refund_day(found.lane, tonumber(found.released_at)) else lose_request(found.lane) end
  end
  redis.call('ZADD', key.rate_slots(found.location), now + found.lane.window, id .. ':' .. attempt)
  return found
end
