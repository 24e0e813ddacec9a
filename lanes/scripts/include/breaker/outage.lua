-- @include breaker/global_state
-- @include queue/notify
-- An outage, from its first failure to its end. Failures of the API make a run; answers end the run. Many failures over
-- several locations are an outage.
local MAX_HALF_OPEN = 64
local RUN_FORGOTTEN = 300 * 1000000
local REFUNDABLE_FOR = 30 * 1000000
local QUIET = 60 * 1000000

-- jittered(gap): returns three quarters to the whole of the gap.
local function jittered(gap)
  return math.floor(gap * (0.75 + 0.25 * (now % 1009) / 1009))
end

-- answers(of): returns how many requests of a lane, or of all lanes, were ever answered.
local function answers(of)
  local counts = redis.pcall('HMGET', of, 'delivered', 'throttled', 'answered')
  return (tonumber(counts[1]) or 0) + (tonumber(counts[2]) or 0) + (tonumber(counts[3]) or 0)
end

-- read_rule(text): reads ARGV 9 of retry.
local function read_rule(text)
  local failures, locations, gap, max_gap = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return { failures = tonumber(failures), locations = tonumber(locations), gap = tonumber(gap),
           max_gap = tonumber(max_gap) }
end

-- clear_refundable_failures(global_state): a run ended. Its failures stay refundable for a while: when an outage
-- begins, answers to earlier requests still arrive.
local function clear_refundable_failures(global_state)
  if now - (tonumber(global_state[7]) or 0) <= REFUNDABLE_FOR then return end
  redis.call('DEL', key.refundable_failures)
  redis.call('HSET', key.global_state, 'refundable_since', now)
end

-- extend_run(global_state, location, rule): counts a failure. Each location counts up to its share, so that none makes
-- an outage alone. At most one answer for ten failures may come in between. Returns whether this is an outage.
local function extend_run(global_state, location, rule)
  local answered, failures, since = answers(key.counts), tonumber(global_state[4]) or 0, tonumber(global_state[5]) or 0
  if answered - since > failures / 10 or now - (tonumber(global_state[6]) or 0) > RUN_FORGOTTEN then
    failures, since = 0, answered
    redis.call('DEL', key.failing)
    clear_refundable_failures(global_state)
  end
  local share = math.ceil(rule.failures / rule.locations)
  if redis.call('HINCRBY', key.failing, location, 1) <= share then failures = failures + 1 end
  redis.call('HSET', key.global_state, 'run_failures', failures, 'run_answers', since, 'run_at', now)
  return failures >= rule.failures and redis.call('HLEN', key.failing) >= rule.locations
end

-- charge_failure(id): counts a failure of the run against the job, refundable if an outage begins.
local function charge_failure(id)
  redis.call('HINCRBY', key.refundable_failures, id, 1)
  redis.call('PEXPIRE', key.refundable_failures, RUN_FORGOTTEN / 1000)
end

-- refund_attempts(): the run became an outage, so its failures do not count against the jobs.
local function refund_attempts()
  local refundable_failures = redis.call('HGETALL', key.refundable_failures)
  for i = 1, #refundable_failures, 2 do
    local state = redis.call('HGET', key.job(refundable_failures[i]), 'state')
    if state == 'pending' or state == 'in_flight' then
      redis.call('HINCRBY', key.job(refundable_failures[i]), 'failures', -tonumber(refundable_failures[i + 1]))
    end
  end
end

local function probe_after(gap, rule)
  return now + math.max(jittered(gap), rule.min_delay)
end

local function begin_outage(rule)
  refund_attempts()
  notify('outage_began', { locations = redis.call('HLEN', key.failing), failures = rule.failures })
  redis.call('DEL', key.failing, key.refundable_failures)
  redis.call('HDEL', key.global_state, 'run_failures', 'run_answers', 'run_at')
  redis.call('HSET', key.global_state, 'outage_since', now, 'half_open_limit', 1, 'gap', rule.gap, 'probe_at', probe_after(rule.gap, rule))
  update_global_state()
end

local function end_outage(since)
  local braked = redis.call('HGET', key.global_state, 'cause')
  -- A full Redis allows HDEL, and then all later writes.
  redis.call('HDEL', key.global_state, 'outage_since', 'half_open_limit', 'half_open_at', 'gap', 'probe_at', 'cause', 'status')
  notify(braked and 'all_brake_ended' or 'outage_ended', { seconds = math.floor((now - (tonumber(since) or now)) / 1000000) })
  redis.call('DEL', key.probes)
  update_global_state()
end

-- remove_probe(job): returns whether the attempt was a probe of the outage whose lease has not ended; removes it.
local function remove_probe(job)
  return job.probe and redis.call('ZREM', key.probes, job.id .. ':' .. job.attempt) == 1
end

-- isolated_failure(global_state, job, rule): a probe failed while others were answered: its location waits longer. If
-- others were answered since its last such failure, the fault is its own, and it returns true: else one failing
-- location would keep all lanes paused.
local function isolated_failure(global_state, job, rule)
  local name = key.lane(job.location)
  local before = tonumber(redis.call('HGET', name, 'isolated_failure_at')) or 0
  redis.call('HSET', name, 'isolated_failure_at', now, 'backoff_until',
    math.max(job.lane.backoff_until, now + math.max(rule.max_gap, rule.min_delay)))
  return before >= (tonumber(global_state[1]) or 0) and (tonumber(global_state[8]) or 0) > before
end

-- fail_probe(global_state, job, rule): back to single probes after a gap, which doubles until one is answered.
local function fail_probe(global_state, job, rule)
  local gap = rule.gap
  if tonumber(global_state[2]) == 1 then
    gap = math.min(2 * (tonumber(global_state[3]) or gap), rule.max_gap)
  elseif isolated_failure(global_state, job, rule) then
    return
  end
  redis.call('HSET', key.global_state, 'half_open_limit', 1, 'gap', gap, 'probe_at', probe_after(gap, rule))
  redis.call('DEL', key.probes)
  update_global_state()
end

-- answer_probe(job): an answer doubles the half-open limit, and finally ends the outage. On the brake of all lanes an
-- answer alone does not end it: the next probe goes out after the same gap, unless brake.lua changes that.
local function answer_probe(job)
  if not remove_probe(job) then return end
  local global_state = redis.call('HMGET', key.global_state, 'half_open_limit', 'outage_since', 'cause', 'gap')
  if global_state[3] then
    job.global_probe_gap = tonumber(global_state[4]) or 0
    redis.call('HSET', key.global_state, 'probe_at', now + jittered(job.global_probe_gap))
    return
  end
  local half_open_limit = 2 * (tonumber(global_state[1]) or 1)
  if half_open_limit >= MAX_HALF_OPEN then return end_outage(global_state[2]) end
  redis.call('HSET', key.global_state, 'half_open_limit', half_open_limit, 'half_open_at', now)
  update_global_state()
end

-- end_quiet_outage(): ends an outage with answered probes when nothing failed for a while, even with little to send.
local function end_quiet_outage()
  local global_state = redis.call('HMGET', key.global_state, 'half_open_limit', 'half_open_at', 'outage_since')
  if (tonumber(global_state[1]) or 1) > 1 and now - (tonumber(global_state[2]) or 0) >= QUIET then end_outage(global_state[3]) end
end
