-- reclaim: takes back jobs whose lease ended, unless a repetition could create a second opportunity. Ends a quiet
-- outage.
-- Moves: in flight -> pending (ready) | dead when its attempts are spent, or it must not be repeated
-- ARGV:
--   1 max_count     jobs in one call
--   2 max_attempts
--   3 repeat_unnamed  1 to repeat a v3 job without id too, 0 to bury it: the API may have its request
-- Returns: { id, location, attempt, 'reclaimed' | 'buried', ... } four values a job
-- @include now
-- @include queue/activate_next
-- @include dead_letter/bury_job
-- @include breaker/outage
-- @include queue/make_pending
-- @include history/end_job
-- @include queue/isolate
-- @include queue/set_aside
-- is_unnamed(id, version): whether a repeated request could create a second opportunity: v3 without a readable id.
local function is_unnamed(id, version)
  if version ~= 'v3' then return false end
  local readable, body = pcall(cjson.decode, redis.call('GET', key.body(id)) or '')
  return not (readable and type(body) == 'table' and type(body.id) == 'string')
end

-- end_lost(location): a request ended without a report; a lane that waited for it may continue.
local function end_lost(location)
  redis.call('HINCRBY', key.lane(location), 'lost', 1)
  if (tonumber(redis.call('HGET', key.lane(location), 'rate_limited_until')) or 0) <= now then return end
  redis.call('HDEL', key.lane(location), 'rate_limited_until')
  if redis.call('ZSCORE', key.due, location) then schedule(location, now) end
end

local reclaimed = {}

local function reclaim(id)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'attempt', 'released_at', 'worker', 'seq',
    'priority', 'version')
  local location, record = job[2], job[3]
  if job[1] and (location or '') == '' then error(key.job(id) .. ': its location cannot be read', 0) end
  if job[1] == 'in_flight' then
    redis.call('RPUSH', key.attempts(id), string.format('%s lost %s %.0f %s', job[4], job[5], now,
      cjson.encode({ worker = job[6], message = 'the lease ended without a report' })))
    local failures = redis.call('HINCRBY', key.job(id), 'failures', 1)
    local verdict = 'reclaimed'
    local in_doubt = ARGV[3] ~= '1' and is_unnamed(id, job[9])
    if in_doubt or failures >= tonumber(ARGV[2]) then
      verdict = 'buried'
      local reason = 'exhausted'
      if in_doubt then reason = 'unconfirmed' end
      bury_job(id, location, record, 'in_flight', reason)
      activate_next(location, record)
    else
      count(location, nil, 'reclaimed')
      make_pending({ id = id, location = location, seq = tonumber(job[7]), priority = tonumber(job[8]) })
    end
    for _, value in ipairs({ id, location, tonumber(job[4]), verdict }) do table.insert(reclaimed, value) end
  elseif record then
    redis.call('HINCRBY', key.lane(location), 'redundant', -1)
    activate_next(location, record)
    if job[1] == 'delivered' then end_job(id, {}) end
  end
  if location then end_lost(location) end
end

end_quiet_outage()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.leases, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  redis.call('ZREM', key.leases, id)
  local readable, broken = isolate(nil, id, reclaim, id)
  if not readable then report_broken(nil, id, broken) end
end
return reclaimed
