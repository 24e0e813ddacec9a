-- enqueue: jobs enter their lanes, one after the other.
-- Moves: nothing -> pending | merged where it joins a waiting job of its record, or brings nothing new
-- ARGV:
--   1 window       ms for which idempotency keys and event times are known
--   2.. per job, in this order:
--     id           the producer's choice; the same id again is the same job
--     location
--     record       the opportunity that it writes, within the location
--     body         JSON, as it will be sent
--     not_before   time in us before which it is not sent, or ''
--     expires_at   time in us from which it is not sent any more, or ''
--     service      name of the calling service, or ''
--     key          idempotency key, or ''
--     fingerprint  of the body, compared when the key is known
--     priority     0 to 9; the higher goes first within its lane
--     merge        1 to join a waiting job of the record, else 0
--     event_time   time in us at which the service learned what the body says, or ''
--     version      of the API that the body is for, or '' for the default one
--     expires_while_held   1 when its time runs out even while it is held, else 0
-- Returns: { 'accepted' | 'known' | 'conflict', id of the job, ... } two values a job
-- @include now
-- @include count
-- @include append
-- @include schedule
-- @include overtaken
-- @include merge
-- @include held
-- @include schema
-- @include room
local FIELDS = 14
local window = ARGV[1]
local due = {}      -- location -> the earliest time at which one of the jobs may be sent
local tallies = {}  -- location -> state -> jobs that entered it

local function tally(location, state)
  local states = tallies[location] or {}
  states[state] = (states[state] or 0) + 1
  tallies[location] = states
end

local ever_held = redis.call('EXISTS', key.held) == 1

-- known_as(order): the answer for an order that was there before, or nil; and the name of its idempotency key, if any.
local function known_as(order)
  if redis.call('EXISTS', key.job(order.id)) == 1 then return { 'known', order.id } end
  if order.key == '' then return nil end
  local name = key.idempotency(order.location, order.key)
  local known = redis.call('GET', name)
  if not known then return nil, name end
  local job, fingerprint = string.match(known, '^(%S+) (%S*)$')
  return { fingerprint == order.fingerprint and 'known' or 'conflict', job }
end

-- wait_in_lane(order): the order becomes a pending job.
local function wait_in_lane(order)
  local id, location = order.id, order.location
  local seq = redis.call('HINCRBY', key.lane(location), 'seq', 1)
  if seq == 1 then
    redis.call('SADD', key.locations, location)
    begin_cell()
  end
  local fields = { 'state', 'pending', 'location', location, 'record', order.record, 'seq', seq, 'accepted_at', now }
  local function note(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  if order.not_before then note('not_before', order.not_before) end
  if order.expires_at then
    note('expires_at', order.expires_at)
    redis.call('ZADD', key.expiring, order.expires_at, id)
  end
  local held_before = ever_held and held(location) or 0
  if held_before > 0 then note('held_before', string.format('%.0f', held_before)) end
  if order.expires_while_held then note('expires_while_held', 1) end
  if order.service ~= '' then note('service', order.service) end
  if order.priority > 0 then note('priority', order.priority) end
  if order.event_time then note('event_time', order.event_time) end
  if order.version ~= '' then note('version', order.version) end
  redis.call('SET', key.body(id), order.body)
  redis.call('HSET', key.job(id), unpack(fields))
  local at = append(location, order.record, id, seq, order.not_before, order.priority)
  if at then due[location] = math.min(at, due[location] or at) end
  tally(location, 'pending')
end

local function accept(order)
  local carrier = overtaken(order)
  if not carrier and order.merge then carrier = merge(order) end
  tally(order.location, 'accepted')
  if carrier then
    be_carried(order, carrier)
    tally(order.location, 'merged')
  else
    wait_in_lane(order)
  end
  -- Last: it may begin with a write that a full Redis allows, and the others after it would be allowed, too.
  if order.event_time then note_event_time(order, carrier or order.id, window) end
end

local answers, looked = {}, false
for at = 2, #ARGV, FIELDS do
  local order = {
    id = ARGV[at], location = ARGV[at + 1], record = ARGV[at + 2], body = ARGV[at + 3],
    not_before = tonumber(ARGV[at + 4]), expires_at = tonumber(ARGV[at + 5]), service = ARGV[at + 6], key = ARGV[at + 7],
    fingerprint = ARGV[at + 8], priority = tonumber(ARGV[at + 9]), merge = ARGV[at + 10] == '1',
    event_time = tonumber(ARGV[at + 11]), version = ARGV[at + 12], expires_while_held = ARGV[at + 13] == '1',
  }
  local answer, idempotency = known_as(order)
  if not answer then
    if not looked then
      local refusal = no_room()
      if refusal then return refusal end
      looked = true
    end
    answer = { 'accepted', order.id }
    accept(order)
    if idempotency then redis.call('SET', idempotency, order.id .. ' ' .. order.fingerprint, 'PX', window) end
  end
  answers[#answers + 1] = answer[1]
  answers[#answers + 1] = answer[2]
end
for location, states in pairs(tallies) do
  for state, jobs in pairs(states) do count(location, nil, state, jobs) end
  if due[location] then schedule(location, due[location]) end
end
return answers
