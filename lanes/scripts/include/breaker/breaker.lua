-- @include breaker/brake
-- @include queue/count
-- @include queue/reschedule
-- The circuit breaker. Each report tells it whether the API answered. It pauses all lanes in an outage, and a lane
-- whose requests all fail: that lane sends single probes with growing gaps. Refusals are handled in brake.lua.

-- pause_failing(job, failures, gap, earliest): schedules the lane's next probe after the gap, not before `earliest`.
local function pause_failing(job, failures, gap, earliest)
  redis.call('HSET', key.lane(job.location), 'run_failures', failures, 'gap', gap, 'gap_at', now, 'backoff_until',
    math.max(earliest, now + jittered(gap)))
  reschedule(job.location)
end

-- end_lane_probe(job): the single probe of a failing lane ended without a result. Schedules the next after the same
-- gap; else the lane would wait until the end of the lease.
local function end_lane_probe(job)
  if not (job.lane.gap and job.leased) or tonumber(job.released_at) < job.lane.gap_at then return end
  redis.call('HSET', key.lane(job.location), 'backoff_until', now + jittered(job.lane.gap))
  reschedule(job.location)
end

-- lane_fails(job, rule): counts a failure of the lane. Returns whether so many failed in a row that the lane fails, not
-- the job. Requests that were in flight when the gap began do not lengthen it.
local function lane_fails(job, rule)
  local name = key.lane(job.location)
  local run = redis.call('HMGET', name, 'run_failures', 'run_answers')
  local failures, answered = tonumber(run[1]) or 0, answers(name)
  if job.lane.gap then
    if tonumber(job.released_at) >= job.lane.gap_at then
      pause_failing(job, failures + 1, math.min(2 * job.lane.gap, rule.max_gap), now + rule.min_delay)
    end
    return true
  end
  failures = answered == tonumber(run[2]) and failures + 1 or 1
  redis.call('HSET', name, 'run_failures', failures, 'run_answers', answered)
  if failures < rule.failures then return false end
  -- The pause for its token may be longer.
  pause_failing(job, failures, rule.gap, math.max(job.lane.backoff_until, now + rule.min_delay))
  return true
end

-- api_failed(job, text, min_delay): the API failed. `text` is the breaker's rule; `min_delay` is the API's Retry-After
-- (us). Returns what failed: 'outage', 'lane' or 'job'. Only 'job' spends an attempt.
local function api_failed(job, text, min_delay)
  end_brake_probe(job)
  local rule = read_rule(text)
  rule.min_delay = min_delay
  local global_state = redis.call('HMGET', key.global_state, 'outage_since', 'half_open_limit', 'gap', 'run_failures', 'run_answers', 'run_at',
    'refundable_since', 'half_open_at')
  if global_state[1] then
    end_lane_probe(job)
    if remove_probe(job) then fail_probe(global_state, job, rule) end
    return 'outage'
  end
  if extend_run(global_state, job.location, rule) then
    end_lane_probe(job)
    begin_outage(rule)
    return 'outage'
  end
  if lane_fails(job, rule) then return 'lane' end
  charge_failure(job.id)
  return 'job'
end

local function api_answered(job)
  end_brake_probe(job)
  answer_probe(job)
  if not job.lane.gap then return end
  redis.call('HDEL', key.lane(job.location), 'run_failures', 'gap', 'gap_at', 'backoff_until')
  reschedule(job.location)
end

local function api_delivered(job)
  api_answered(job)
  end_brakes(job)
end

-- api_refused(job, rate_limit_info): the API answered neither success nor 429; or nothing was sent, if the info is ''.
local function api_refused(job, rate_limit_info)
  if rate_limit_info == '' then
    end_brake_probe(job)
    end_lane_probe(job)
    remove_probe(job)
  else
    api_answered(job)
    count(job.location, nil, 'answered')
  end
end
