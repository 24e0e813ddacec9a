-- check_jobs: checks that each job is only where its state says, and finds leftovers of removed jobs. Read-only.
-- ARGV: ids of jobs
-- Returns: id of a job, kind of finding and text, repeated
-- @include read_only
-- @include now
-- @include queue/is_blocked
-- @include history/read_done
local wrong = {}
local function add_finding(id, kind, text)
  wrong[#wrong + 1], wrong[#wrong + 2], wrong[#wrong + 3] = id, kind, text
end

local function check_leftovers(id)
  if redis.call('PTTL', key.body(id)) == -1 then add_finding(id, 'body', 'a body without a job') end
  for _, name in ipairs({ key.attempts(id), key.merged_jobs(id), key.original(id) }) do
    if redis.call('PTTL', name) == -1 then add_finding(id, 'leftover', 'left over from a removed job: ' .. name) end
  end
end

-- check_position(id, job, check): checks the job in the lane, the leases and the dead letters.
local function check_position(id, job, check)
  local state, location, record = job.state, job.location, job.record
  local active = redis.call('HGET', key.active(location), record) == id
  local ready = tonumber(redis.call('ZSCORE', key.ready(location), id)) and 1 or 0
  local delayed = tonumber(redis.call('ZSCORE', key.delayed(location), id)) and 1 or 0
  local listed = state == 'pending' and ready + delayed == 0 and not active
  local blocked = listed and is_blocked(location, record, id, job.seq) and 1 or 0
  local lease = tonumber(redis.call('ZSCORE', key.leases, id))
  local dead = tonumber(redis.call('ZSCORE', key.dead, id)) and true or false
  local places, expected = ready + delayed + blocked, state == 'pending' and 1 or 0
  check('position', places == expected, 'waits in ' .. places .. ' places, not ' .. expected)
  check('dead-letter', job.dead_letter == dead, 'dead letters and state disagree')
  if state == 'pending' then
    check('lease', not lease, 'pending, with a lease')
    check('position', active == (blocked == 0), 'its position and the active job of its record disagree')
    if ready + delayed == 1 and not redis.call('HGET', key.lane(location), 'hold') then
      check('due', tonumber(redis.call('ZSCORE', key.due, location)), 'its lane is never due')
    end
  elseif state == 'in_flight' then
    check('lease', lease and active, 'in flight without a lease, or not the active job of its record')
    check('lease', job.attempt and job.released_at, 'in flight, with no attempt')
    local slot = redis.call('ZSCORE', key.rate_slots(location), id .. ':' .. (job.attempt or ''))
    check('slot', slot or not lease or lease <= now, 'in flight without a rate slot')
  else
    check('position', active == (lease ~= nil), 'done, but still the active job of its record')
  end
end

local function check_job(id, job)
  local function check(kind, fact, text)
    if not fact then add_finding(id, kind, text .. ' (' .. job.state .. ', location ' .. job.location .. ')') end
  end
  check_position(id, job, check)
  local pending, body = job.state == 'pending', redis.call('EXISTS', key.body(id)) == 1
  local alive = pending or job.state == 'in_flight' or job.dead_letter
  local newest = tonumber(redis.call('HGET', key.lane(job.location), 'seq')) or 0
  check('order', (job.seq or 0) <= newest, 'newer jobs of its lane would go before it')
  check('dead-letter', job.was_dead and job.ended_at or not job.dead_letter, 'a dead letter without the time at which it failed')
  check('dead-letter', not job.was_dead or redis.call('HEXISTS', key.dead_letter_counts(job.location), job.record) == 1,
    'its record has no dead letter counted')
  local lost = alive and not body
  check('lost', not lost, 'its body is missing, so it cannot be sent')
  check('content', lost or body == alive, 'body and state disagree')
  check('content', body or redis.call('EXISTS', key.original(id)) == 0, 'an original without a body')
  check('ttl', redis.call('PTTL', key.job(id)) == -1, 'it would be removed before it is done')
  local redundant = job.state == 'delivered' and redis.call('ZSCORE', key.leases, id)
  check('ended', alive or redundant, 'done, but stored as an unfinished job')
  check('ended', redis.call('EXISTS', key.done(id)) == 0, 'unfinished, and done at the same time')
  check('merged', redis.call('SCARD', key.merged_jobs(id)) == (job.merged_count or 0), 'merged jobs and their count disagree')
  check('expiring', not tonumber(redis.call('ZSCORE', key.expiring, id)) == not (pending and job.expires_at),
    'its expiry and the list of expiring jobs disagree')
end

-- check_done(id, fields): checks a done job: its time to live, what is left of its other keys, and its merge target.
local function check_done(id, fields)
  local function check(kind, fact, text)
    if not fact then add_finding(id, kind, text .. ' (' .. fields.state .. ', location ' .. fields.location .. ')') end
  end
  local merge_target, life = fields.merged_into, redis.call('PTTL', key.done(id))
  local target_kept = merge_target and redis.call('EXISTS', key.job(merge_target)) == 1
  check('ttl', target_kept or life ~= -1, 'done, but without a time to live')
  check('ttl', not target_kept or life == -1, 'it would be removed before the job that it was merged into')
  check('merged', not merge_target or redis.call('SISMEMBER', key.merged_jobs(merge_target), id) == 1
    or redis.call('EXISTS', key.job(merge_target), key.done(merge_target)) == 0, 'merged into a job that does not list it')
  check('content', redis.call('EXISTS', key.body(id), key.original(id), key.attempts(id)) == 0,
    'done, but with keys of an unfinished job')
end

local function check_without_hash(id)
  local readable, done = pcall(read_done, id)
  if not readable then
    add_finding(id, 'unpacked', 'its value cannot be read')
  elseif done and not tonumber(done.fields.accepted_at) then
    add_finding(id, 'unpacked', 'its value has no time of acceptance')
  elseif done then
    check_done(id, done.fields)
  else
    check_leftovers(id)
  end
end

local STATES = { pending = 1, in_flight = 1, delivered = 1, dead = 1, cancelled = 1, expired = 1, merged = 1 }
for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'was_dead', 'seq', 'attempt', 'merged_count',
    'expires_at', 'accepted_at', 'ended_at', 'released_at')
  if redis.call('EXISTS', key.job(id)) == 0 then
    check_without_hash(id)
  elseif (job[2] or '') == '' or (job[3] or '') == '' then
    add_finding(id, 'unreadable', 'its location or its record is missing')
  elseif not STATES[job[1]] or not job[9] or not tonumber(job[5]) then
    add_finding(id, 'state', 'its state, its time or its number is missing')
  else
    check_job(id, { state = job[1], location = job[2], record = job[3], was_dead = job[4], seq = tonumber(job[5]),
                    attempt = job[6], merged_count = tonumber(job[7]), expires_at = job[8], ended_at = job[10],
                    released_at = job[11], dead_letter = job[1] == 'dead' or job[1] == 'expired' })
  end
end
return answer(wrong)
