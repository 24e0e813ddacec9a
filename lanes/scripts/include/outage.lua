-- @include gate
-- @include notice
-- An outage, from its first failure to its end. Failures of the API itself make a run, which answers end. Many of them, over
-- several locations, are an outage.
local FULL_ROOM = 64
local RUN_FORGOTTEN = 300 * 1000000
local BLAME_FORGOTTEN = 30 * 1000000
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
  local failures, locations, gap, most_gap = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return { failures = tonumber(failures), locations = tonumber(locations), gap = tonumber(gap),
           most_gap = tonumber(most_gap) }
end

-- forgive_no_more(gate): a run is over; what failed in it stays forgivable for a while, since answers to requests that were on
-- their way come in between when an outage begins.
local function forgive_no_more(gate)
  if now - (tonumber(gate[7]) or 0) <= BLAME_FORGOTTEN then return end
  redis.call('DEL', key.blamed)
  redis.call('HSET', key.gate, 'blamed_since', now)
end

-- extend_run(gate, location, rule): one more failure. A location counts for no more than its share, so that none makes an outage
-- by itself. Hardly an answer may come in between: one for ten failures. Returns whether this is an outage.
local function extend_run(gate, location, rule)
  local answered, failures, since = answers(key.counts), tonumber(gate[4]) or 0, tonumber(gate[5]) or 0
  if answered - since > failures / 10 or now - (tonumber(gate[6]) or 0) > RUN_FORGOTTEN then
    failures, since = 0, answered
    redis.call('DEL', key.failing)
    forgive_no_more(gate)
  end
  local share = math.ceil(rule.failures / rule.locations)
  if redis.call('HINCRBY', key.failing, location, 1) <= share then failures = failures + 1 end
  redis.call('HSET', key.gate, 'run_failures', failures, 'run_answers', since, 'run_at', now)
  return failures >= rule.failures and redis.call('HLEN', key.failing) >= rule.locations
end

-- blame(id): a failure of the run counts as one of the job's, for now.
local function blame(id)
  redis.call('HINCRBY', key.blamed, id, 1)
  redis.call('PEXPIRE', key.blamed, RUN_FORGOTTEN / 1000)
end

-- pardon(): the failures of the run were not the jobs'.
local function pardon()
  local blamed = redis.call('HGETALL', key.blamed)
  for i = 1, #blamed, 2 do
    local state = redis.call('HGET', key.job(blamed[i]), 'state')
    if state == 'pending' or state == 'in_flight' then
      redis.call('HINCRBY', key.job(blamed[i]), 'failures', -tonumber(blamed[i + 1]))
    end
  end
end

-- probe_after(gap, rule): when the next probe goes out: after the gap, and not while the API asked to be left alone.
local function probe_after(gap, rule)
  return now + math.max(jittered(gap), rule.min_delay)
end

local function begin_outage(rule)
  pardon()
  notify('outage_began', { locations = redis.call('HLEN', key.failing), failures = rule.failures })
  redis.call('DEL', key.failing, key.blamed)
  redis.call('HDEL', key.gate, 'run_failures', 'run_answers', 'run_at')
  redis.call('HSET', key.gate, 'outage_since', now, 'room', 1, 'gap', rule.gap, 'probe_at', probe_after(rule.gap, rule))
  set_gate()
end

local function end_outage(since)
  local braked = redis.call('HGET', key.gate, 'cause')
  -- The first write is one that a full Redis allows, and with it all that follow.
  redis.call('HDEL', key.gate, 'outage_since', 'room', 'room_at', 'gap', 'probe_at', 'cause', 'status')
  notify(braked and 'all_brake_ended' or 'outage_ended', { seconds = math.floor((now - tonumber(since)) / 1000000) })
  redis.call('DEL', key.probes)
  set_gate()
end

-- give_back(job): whether the attempt went out through the shut gate and has not been given up for lost. It is out no longer.
local function give_back(job)
  return job.probe and redis.call('ZREM', key.probes, job.id .. ':' .. job.attempt) == 1
end

-- fails_alone(gate, job, rule): where others had been answered, the location of the one that failed waits longer. When others
-- were answered even since it failed the last time, the trouble is its own and nothing more follows: else one location that
-- always fails would keep the gate shut for all.
local function fails_alone(gate, job, rule)
  local name = key.lane(job.location)
  local before = tonumber(redis.call('HGET', name, 'sick_at')) or 0
  redis.call('HSET', name, 'sick_at', now, 'paused_until',
    math.max(job.lane.paused_until, now + math.max(rule.most_gap, rule.min_delay)))
  return before >= tonumber(gate[1]) and tonumber(gate[8]) > before
end

-- fail_probe(gate, job, rule): nothing goes out for a while, and then a single probe again; for a longer while each time, if none
-- was answered in between.
local function fail_probe(gate, job, rule)
  local gap = rule.gap
  if tonumber(gate[2]) == 1 then
    gap = math.min(2 * tonumber(gate[3]), rule.most_gap)
  elseif fails_alone(gate, job, rule) then
    return
  end
  redis.call('HSET', key.gate, 'room', 1, 'gap', gap, 'probe_at', probe_after(gap, rule))
  redis.call('DEL', key.probes)
  set_gate()
end

-- answer_probe(job): the gate opens a little further, and at last wholly. Where refusals shut it, an answer alone opens nothing: the
-- next probe goes out after the same gap, unless brake.lua knows better.
local function answer_probe(job)
  if not give_back(job) then return end
  local gate = redis.call('HMGET', key.gate, 'room', 'outage_since', 'cause', 'gap')
  if gate[3] then
    job.gate_gap = tonumber(gate[4])
    redis.call('HSET', key.gate, 'probe_at', now + jittered(job.gate_gap))
    return
  end
  local room = 2 * tonumber(gate[1])
  if room >= FULL_ROOM then return end_outage(gate[2]) end
  redis.call('HSET', key.gate, 'room', room, 'room_at', now)
  set_gate()
end

-- end_quiet_outage(): an outage whose probes were answered is over when nothing has failed for a while, even if there was too
-- little to send for the gate to open wholly.
local function end_quiet_outage()
  local gate = redis.call('HMGET', key.gate, 'room', 'room_at', 'outage_since')
  if (tonumber(gate[1]) or 1) > 1 and now - tonumber(gate[2]) >= QUIET then end_outage(gate[3]) end
end
