-- @include breaker/global_state
-- @include queue/notify
-- An outage, from its first failure to its end. Failures of the API itself make a run, which answers end. Many of them, over
-- several locations, are an outage.
local MAX_HALF_OPEN = 64
local RUN_FORGOTTEN = 300 * 1000000
local REFUNDABLE_FOR = 30 * 1000000
local QUIET = 60 * 1000000

-- jittered(gap): a part of the gap between three quarters and the whole.
local function jittered(gap)
  return math.floor(gap * (0.75 + 0.25 * (now % 1009) / 1009))
end

-- answers(of): how many requests were answered, in all or of a lane, ever.
local function answers(of)
  local counts = redis.call('HMGET', of, 'delivered', 'throttled', 'answered')
  return (tonumber(counts[1]) or 0) + (tonumber(counts[2]) or 0) + (tonumber(counts[3]) or 0)
end

-- read_rule(text): what makes an outage, as retry is told of it.
local function read_rule(text)
  local failures, locations, gap, max_gap = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return { failures = tonumber(failures), locations = tonumber(locations), gap = tonumber(gap),
           max_gap = tonumber(max_gap) }
end

-- clear_refundable_failures(gate): a run is over; what failed in it stays forgivable for a while, since answers to requests that were on
-- their way come in between when an outage begins.
local function clear_refundable_failures(global_state)
  if now - (tonumber(global_state[7]) or 0) <= REFUNDABLE_FOR then return end
  redis.call('DEL', key.refundable_failures)
  redis.call('HSET', key.global_state, 'refundable_since', now)
end

-- extend_run(gate, location, rule): one more failure. A location counts for no more than its share, so that none makes an outage
-- by itself. Hardly an answer may come in between: one for ten failures. Returns whether this is an outage.
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

-- charge_failure(id): a failure of the run counts as one of the job's, for now.
local function charge_failure(id)
  redis.call('HINCRBY', key.refundable_failures, id, 1)
  redis.call('PEXPIRE', key.refundable_failures, RUN_FORGOTTEN / 1000)
end

-- refund_attempts(): the failures of the run were not the jobs'.
local function refund_attempts()
  local refundable_failures = redis.call('HGETALL', key.refundable_failures)
  for i = 1, #refundable_failures, 2 do
    local state = redis.call('HGET', key.job(refundable_failures[i]), 'state')
    if state == 'pending' or state == 'in_flight' then
      redis.call('HINCRBY', key.job(refundable_failures[i]), 'failures', -tonumber(refundable_failures[i + 1]))
    end
  end
end

-- probe_after(gap, rule): when the next probe goes out: after the gap, and not while the API asked to be left alone.
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
  -- The first write is one that a full Redis allows, and with it all that follow.
  redis.call('HDEL', key.global_state, 'outage_since', 'half_open_limit', 'half_open_at', 'gap', 'probe_at', 'cause', 'status')
  notify(braked and 'all_brake_ended' or 'outage_ended', { seconds = math.floor((now - tonumber(since)) / 1000000) })
  redis.call('DEL', key.probes)
  update_global_state()
end

-- remove_probe(job): whether the attempt went out through the shut gate and has not been given up for lost. It is out no longer.
local function remove_probe(job)
  return job.probe and redis.call('ZREM', key.probes, job.id .. ':' .. job.attempt) == 1
end

-- isolated_failure(gate, job, rule): where others had been answered, the location of the one that failed waits longer. When others
-- were answered even since it failed the last time, the trouble is its own and nothing more follows: else one location that
-- always fails would keep the gate shut for all.
local function isolated_failure(global_state, job, rule)
  local name = key.lane(job.location)
  local before = tonumber(redis.call('HGET', name, 'isolated_failure_at')) or 0
  redis.call('HSET', name, 'isolated_failure_at', now, 'backoff_until',
    math.max(job.lane.backoff_until, now + math.max(rule.max_gap, rule.min_delay)))
  return before >= tonumber(global_state[1]) and tonumber(global_state[8]) > before
end

-- fail_probe(gate, job, rule): nothing goes out for a while, and then a single probe again; for a longer while each time, if none
-- was answered in between.
local function fail_probe(global_state, job, rule)
  local gap = rule.gap
  if tonumber(global_state[2]) == 1 then
    gap = math.min(2 * tonumber(global_state[3]), rule.max_gap)
  elseif isolated_failure(global_state, job, rule) then
    return
  end
  redis.call('HSET', key.global_state, 'half_open_limit', 1, 'gap', gap, 'probe_at', probe_after(gap, rule))
  redis.call('DEL', key.probes)
  update_global_state()
end

-- answer_probe(job): the gate opens a little further, and at last wholly. Where refusals shut it, an answer alone opens nothing: the
-- next probe goes out after the same gap, unless brake.lua knows better.
local function answer_probe(job)
  if not remove_probe(job) then return end
  local global_state = redis.call('HMGET', key.global_state, 'half_open_limit', 'outage_since', 'cause', 'gap')
  if global_state[3] then
    job.global_probe_gap = tonumber(global_state[4])
    redis.call('HSET', key.global_state, 'probe_at', now + jittered(job.global_probe_gap))
    return
  end
  local half_open_limit = 2 * tonumber(global_state[1])
  if half_open_limit >= MAX_HALF_OPEN then return end_outage(global_state[2]) end
  redis.call('HSET', key.global_state, 'half_open_limit', half_open_limit, 'half_open_at', now)
  update_global_state()
end

-- end_quiet_outage(): an outage whose probes were answered is over when nothing has failed for a while, even if there was too
-- little to send for the gate to open wholly.
local function end_quiet_outage()
  local global_state = redis.call('HMGET', key.global_state, 'half_open_limit', 'half_open_at', 'outage_since')
  if (tonumber(global_state[1]) or 1) > 1 and now - tonumber(global_state[2]) >= QUIET then end_outage(global_state[3]) end
end
