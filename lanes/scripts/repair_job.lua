-- repair_job: puts a job where it should be, or removes leftovers. Loses no job and no body. Idempotent.
-- ARGV:
--   1 id
--   2 lease       us, for an attempt without a lease
--   3 window      us, for one without a rate slot
--   4 retention   ms for which a finished job can still be read
--   5 location    if the job does not have it, or ''
--   6 record      likewise
-- Returns: 'repaired' | 'gone' | 'body' when only its body is left | 'unreadable' without location or record
-- @include now
-- @include repair/finite_score
-- @include repair/infer_state
-- @include repair/repair_record
-- @include history/end_job
-- @include history/read_done
-- @include dead_letter/index_dead_letter
-- @include queue/reschedule
local REFUSED = 'refused'
local id = ARGV[1]
local name = key.job(id)

-- repair_end(job): the keys of an unfinished job have no time to live; those of a done one become one value, once none
-- of its requests is in flight.
local function repair_end(job)
  local done = job.state == 'delivered' or job.state == 'cancelled' or job.state == 'merged'
  if done and not redis.call('ZSCORE', key.leases, id) then
    return end_job(id, {}, redis.call('HGET', name, 'retention') or ARGV[4])
  end
  redis.call('DEL', key.done(id))
  for _, part in ipairs({ name, key.attempts(id), key.body(id), key.merged_jobs(id) }) do redis.call('PERSIST', part) end
end

-- repair_done(fields): of a job that is done. A body that is left is renamed, so that it is not lost.
local function repair_done(fields)
  local value, merge_target = key.done(id), fields.merged_into
  if redis.call('EXISTS', key.body(id)) == 1 then
    local at, of_body = string.format('%.0f', now), 'body:' .. id
    redis.call('RENAME', key.body(id), key.broken_key(at, of_body))
  end
  redis.call('DEL', key.original(id), key.attempts(id))
  if merge_target and redis.call('EXISTS', key.job(merge_target)) == 1 then
    redis.call('PERSIST', value)
    redis.call('SADD', key.merged_jobs(merge_target), id)
    redis.call('HSET', key.job(merge_target), 'merged_count', redis.call('SCARD', key.merged_jobs(merge_target)))
  else
    local left = merge_target and redis.call('PTTL', key.done(merge_target)) or -2
    if left > 0 then
      redis.call('SADD', key.merged_jobs(merge_target), id)
      redis.call('PEXPIRE', key.merged_jobs(merge_target), left)
    end
    if redis.call('PTTL', value) == -1 then redis.call('PEXPIRE', value, left > 0 and left or ARGV[4]) end
  end
  return 'repaired'
end

local function repair_dead_letter(job)
  if job.state ~= 'dead' and job.state ~= 'expired' then
    redis.call('ZREM', key.dead, id)
  elseif not (job.was_dead and job.ended_at and redis.call('ZSCORE', key.dead, id)) then
    index_dead_letter(id, job.location, job.record)
    redis.call('ZADD', key.dead, job.ended_at or now, id)
    if not job.ended_at then redis.call('HSET', name, 'ended_at', now) end
    if not job.reason then redis.call('HSET', name, 'reason', job.state == 'expired' and job.state or REFUSED) end
  end
  if redis.call('HEXISTS', name, 'was_dead') == 1 then
    redis.call('HSETNX', key.dead_letter_counts(job.location), job.record, 1)
  end
end

-- repair_in_flight(job): a job in flight has a lease and a rate slot; others have none.
local function repair_in_flight(job)
  if job.state == 'in_flight' then
    for field, value in pairs({ attempt = 1, released_at = now, worker = '?' }) do redis.call('HSETNX', name, field, value) end
    if not redis.call('ZSCORE', key.leases, id) then redis.call('ZADD', key.leases, now + ARGV[2], id) end
    local ends = tonumber(redis.call('ZSCORE', key.leases, id))
    redis.call('ZADD', key.rate_slots(job.location), 'NX', ends + ARGV[3], id .. ':' .. (job.attempt or 1))
  elseif job.state ~= 'delivered' then
    redis.call('ZREM', key.leases, id)
  end
end

-- repair_merged(job): counts the jobs that were merged into it.
local function repair_merged(job)
  local merged_count = redis.call('SCARD', key.merged_jobs(id))
  if merged_count ~= (tonumber(job.merged_count) or 0) then redis.call('HSET', name, 'merged_count', merged_count) end
  if merged_count == 0 then redis.call('HDEL', name, 'merged_count') end
end

if redis.call('EXISTS', name) == 0 then
  local done = read_done(id)
  if done then return repair_done(done.fields) end
  if redis.call('EXISTS', key.body(id)) == 1 then return 'body' end
  for _, part in ipairs({ key.attempts(id), key.merged_jobs(id), key.original(id) }) do
    if redis.call('PTTL', part) == -1 then redis.call('DEL', part) end
  end
  return 'gone'
end
local found = redis.call('HMGET', name, 'state', 'location', 'record', 'seq', 'was_dead', 'attempt', 'merged_count', 'expires_at',
  'ended_at', 'reason', 'accepted_at')
local job = { state = found[1], seq = tonumber(found[4]), was_dead = found[5], attempt = found[6], merged_count = found[7],
              expires_at = found[8], ended_at = found[9], reason = found[10] }
for i = 2, 3 do
  if found[i] == '' then found[i] = false end
end
job.location, job.record = found[2] or ARGV[5], found[3] or ARGV[6]
if job.location == '' or job.record == '' then return 'unreadable' end
if not (found[2] and found[3]) then redis.call('HSET', name, 'location', job.location, 'record', job.record) end
for _, listed in ipairs({ key.ready(job.location), key.delayed(job.location), key.leases, key.expiring, key.dead }) do
  finite_score(listed, id)
end
finite_score(key.due, job.location)
job.state = infer_state(id, job)
if job.state ~= found[1] then redis.call('HSET', name, 'state', job.state) end
if not job.seq then
  redis.call('HSET', name, 'seq', redis.call('HINCRBY', key.lane(job.location), 'seq', 1))
end
if (job.seq or 0) > (tonumber(redis.call('HGET', key.lane(job.location), 'seq')) or 0) then
  redis.call('HSET', key.lane(job.location), 'seq', job.seq)
end
if not found[11] then redis.call('HSET', name, 'accepted_at', now) end
repair_in_flight(job)
repair_dead_letter(job)
repair_record(job.location, job.record, id)
if job.state ~= 'pending' and redis.call('HGET', key.active(job.location), job.record) ~= id then
  redis.call('ZREM', key.ready(job.location), id)
  redis.call('ZREM', key.delayed(job.location), id)
end
if job.state == 'pending' and job.expires_at then
  redis.call('ZADD', key.expiring, 'NX', job.expires_at, id)
else
  redis.call('ZREM', key.expiring, id)
end
repair_merged(job)
repair_end(job)
if not redis.call('HGET', key.lane(job.location), 'hold') then reschedule(job.location) end
return 'repaired'
