-- @include history/read_done
-- @include outcomes/append
-- The script that ends a job appends its outcome to the stream of its service.
local MAX_IDS = 500  -- ids of merged jobs that one script writes; a worker writes the rest
local REST_KEPT = 7 * 86400000  -- ms; an entry of the backlog that cannot be read leaves its ids

-- last_detail(lines): returns the JSON of the last attempt, '' for none.
local function last_detail(lines)
  return string.match(lines[#lines] or '', '^%d+ %S+ %d+ %d+ (.*)$') or ''
end

-- write_merged(id, outcome, by_service): adds the jobs that were merged into this one to `by_service`, up to MAX_IDS of
-- them. The others are kept with the outcome, so that nothing is lost if all workers stop now.
local function write_merged(id, outcome, by_service)
  local ids
  if redis.call('SCARD', key.merged_jobs(id)) > MAX_IDS then
    local rest = key.merged_outcomes(id, outcome.number)
    redis.call('SUNIONSTORE', rest, key.merged_jobs(id))
    redis.call('PEXPIRE', rest, REST_KEPT)
    ids = redis.call('SPOP', rest, MAX_IDS)
    if type(redis.pcall('RPUSH', key.outcome_backlog, pack_outcome(id, outcome))) == 'table' then
      lose(redis.call('SCARD', rest))
      redis.call('DEL', rest)
    end
  else
    ids = redis.call('SMEMBERS', key.merged_jobs(id))
  end
  add_merged(ids, by_service)
end

-- write_outcome(id, fields, state, reason, detail): the job ended: appends its outcome, and those of the jobs that were
-- merged into it. `fields` are of its hash. `detail` is the JSON of its last attempt, nil if that is in its attempts.
-- Returns how often it has ended, for its field `ends`; nil if nobody is told.
local function write_outcome(id, fields, state, reason, detail)
  local own = writes_outcomes(fields.service)
  local merged = fields.merged_count and redis.pcall('EXISTS', key.services) == 1
  if not own and not merged then return nil end
  local number = (tonumber(fields.ends) or 0) + 1
  local outcome = { number = number, state = state, reason = reason or '', ended_at = string.format('%.0f', now),
                    detail = detail or last_detail(redis.pcall('LRANGE', key.attempts(id), -1, -1)) }
  local by_service = {}
  if own then by_service[fields.service] = { id, time_text(fields.accepted_at) } end
  if merged and not pcall(write_merged, id, outcome, by_service) then lose(1) end
  append_all(by_service, outcome)
  return number
end

-- write_ended(id, state, reason): `write_outcome` for a job whose hash has been changed, or is kept.
local function write_ended(id, state, reason)
  local stored = redis.call('HMGET', key.job(id), 'service', 'merged_count', 'ends', 'accepted_at')
  local fields = { service = stored[1], merged_count = stored[2], ends = stored[3], accepted_at = stored[4] }
  local ends = write_outcome(id, fields, state, reason)
  if ends then redis.call('HSET', key.job(id), 'ends', ends) end
end

-- write_late(new_job, target): a new job was merged into one that has ended: it ends with the same outcome, at once.
local function write_late(new_job, target)
  if not writes_outcomes(new_job.service) then return end
  local job = redis.call('HMGET', key.job(target), 'state', 'reason', 'ends', 'ended_at')
  if job[1] == 'pending' or job[1] == 'in_flight' then return end
  local lines = redis.pcall('LRANGE', key.attempts(target), -1, -1)
  if job[1] then
    if not job[3] then redis.call('HSET', key.job(target), 'ends', 1) end
  else
    local done = read_done(target)
    if not done then return end
    job, lines = { done.fields.state, done.fields.reason, done.fields.ends, done.fields.ended_at }, done.lines
  end
  local outcome = { number = tonumber(job[3]) or 1, state = job[1], reason = job[2] or '', ended_at = job[4] or '0',
                    detail = last_detail(lines) }
  append_all({ [new_job.service] = { new_job.id, string.format('%.0f', now) } }, outcome)
end
