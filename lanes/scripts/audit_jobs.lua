-- audit_jobs: whether each job is where its state says, and nowhere else; and what is left of those that are gone. Changes nothing.
-- ARGV: ids of jobs
-- Returns: in turn the id of a job, the kind of what is wrong, and a text that tells it
-- @include now
-- @include stands_behind
local wrong = {}
local function tell(id, kind, text)
  wrong[#wrong + 1], wrong[#wrong + 2], wrong[#wrong + 3] = id, kind, text
end

-- look_at_rest(id): what a job has beside it goes with it.
local function look_at_rest(id)
  if redis.call('PTTL', key.body(id)) == -1 then tell(id, 'body', 'a body without a job') end
  for _, name in ipairs({ key.attempts(id), key.carried(id), key.original(id) }) do
    if redis.call('PTTL', name) == -1 then tell(id, 'rest', 'something is left of a job that is gone: ' .. name) end
  end
end

-- look_at_places(id, job, check): the places of the lane, the leases, the dead letters.
local function look_at_places(id, job, check)
  local state, location, record = job.state, job.location, job.record
  local head = redis.call('HGET', key.heads(location), record) == id
  local ready = redis.call('ZSCORE', key.ready(location), id) and 1 or 0
  local later = redis.call('ZSCORE', key.later(location), id) and 1 or 0
  local listed = state == 'pending' and ready + later == 0 and not head
  local behind = listed and stands_behind(location, record, id, job.seq) and 1 or 0
  local lease = tonumber(redis.call('ZSCORE', key.leases, id))
  local dead = redis.call('ZSCORE', key.dead, id) and true or false
  local waits = state == 'pending' and 1 or 0
  check('place', ready + later + behind == waits, 'waits in ' .. (ready + later + behind) .. ' places, not ' .. waits)
  check('letter', job.letter == dead, 'dead letters and state disagree')
  if state == 'pending' then
    check('lease', not lease, 'pending, with a lease')
    check('place', head == (behind == 0), 'head of its record and place disagree')
    if ready + later == 1 and not redis.call('HGET', key.lane(location), 'hold') then
      check('due', redis.call('ZSCORE', key.due, location), 'its lane is never due')
    end
  elseif state == 'in_flight' then
    check('lease', lease and head, 'in flight without a lease, or not the head of its record')
    check('lease', job.attempt and job.released_at, 'in flight, with no attempt')
    local slot = redis.call('ZSCORE', key.slots(location), id .. ':' .. (job.attempt or ''))
    check('slot', slot or not lease or lease <= now, 'in flight without a slot of the window')
  else
    check('place', head == (lease ~= nil), 'done, but still the head of its record')
  end
end

local function look_at(id, job)
  local function check(kind, fact, text)
    if not fact then tell(id, kind, text .. ' (' .. job.state .. ', location ' .. job.location .. ')') end
  end
  look_at_places(id, job, check)
  local pending, body = job.state == 'pending', redis.call('EXISTS', key.body(id)) == 1
  local alive = pending or job.state == 'in_flight' or job.letter
  local life = redis.call('PTTL', key.job(id))
  local newest = tonumber(redis.call('HGET', key.lane(job.location), 'seq')) or 0
  check('order', (job.seq or 0) <= newest, 'its lane would put newer jobs before it')
  check('letter', job.died and job.ended_at or not job.letter, 'a dead letter that never died')
  check('letter', not job.died or redis.call('HEXISTS', key.letters(job.location), job.record) == 1,
    'its record knows of no dead letter')
  check('content', body == alive, 'body and state disagree')
  check('content', body or redis.call('EXISTS', key.original(id)) == 0, 'an original without a body')
  check('life', not alive or life == -1, 'it would be forgotten before it is done')
  local carried_on = job.merged_into and redis.call('PTTL', key.job(job.merged_into)) == -1
  check('life', alive or carried_on or life > 0, 'done, but kept for ever')
  local carrier = job.merged_into
  check('carried', not carrier or redis.call('SISMEMBER', key.carried(carrier), id) == 1
    or job.state == 'merged' and redis.call('EXISTS', key.job(carrier)) == 0, 'merged into a job that does not carry it')
  check('carried', redis.call('SCARD', key.carried(id)) == (job.carries or 0), 'carries not as many as it says')
  check('expiring', not redis.call('ZSCORE', key.expiring, id) == not (pending and job.expires_at),
    'when it expires, and what is noted of that, disagree')
end

local STATES = { pending = 1, in_flight = 1, delivered = 1, dead = 1, cancelled = 1, expired = 1, merged = 1 }
for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'merged_into', 'died', 'seq', 'attempt',
    'carries', 'expires_at', 'accepted_at', 'ended_at', 'released_at')
  if redis.call('EXISTS', key.job(id)) == 0 then
    look_at_rest(id)
  elseif not job[2] or not job[3] then
    tell(id, 'unreadable', 'its location or its record is not known any more')
  elseif not STATES[job[1]] or not job[10] or not (tonumber(job[6]) or job[1] == 'merged') then
    tell(id, 'state', 'its state, its time or its place in the order is not known any more')
  else
    look_at(id, { state = job[1], location = job[2], record = job[3], merged_into = job[4], died = job[5],
                  seq = tonumber(job[6]), attempt = job[7], carries = tonumber(job[8]), expires_at = job[9],
                  ended_at = job[11], released_at = job[12], letter = job[1] == 'dead' or job[1] == 'expired' })
  end
end
return wrong
