-- enqueue: puts jobs into their lanes.
-- Moves: nothing -> pending | merged into a waiting job of its record, or when it brings nothing new
-- ARGV:
--   1 window       ms for which idempotency keys and event times are kept
--   2.. per job:
--     id           the producer's choice; the same id is the same job
--     location
--     record       the opportunity within the location
--     body         JSON, as it is sent
--     not_before   time in us before which it is not sent, or ''
--     expires_at   time in us from which it is not sent, or ''
--     service      name of the calling service, or ''
--     key          idempotency key, or ''
--     fingerprint  of the body, compared when the key is known
--     priority     0 to 9; higher goes first within its lane
--     merge        1 to merge into a pending job of the record, else 0
--     event_time   time in us of the event in the service, or ''
--     version      of the API that the body is for, or '' for the default
--     expires_while_held   1 when it expires even while it is held, else 0
-- Returns: { 'accepted' | 'known' | 'conflict', id of the job, or 'broken', what cannot be read; ... } two values a job
-- @include now
-- @include queue/count
-- @include queue/enqueue_job
-- @include queue/schedule
-- @include merge/stale_event
-- @include merge/merge
-- @include hold/held_time
-- @include queue/schema
-- @include queue/memory_guard
-- @include queue/isolate
local FIELDS = 14
local window = ARGV[1]
local due = {}      -- location -> the earliest time at which one of the jobs may be sent
local counts = {}  -- location -> state -> jobs that entered it

local function add_count(location, state)
  local states = counts[location] or {}
  states[state] = (states[state] or 0) + 1
  counts[location] = states
end

local ever_held = redis.call('EXISTS', key.held_time) == 1

-- find_duplicate(new_job): returns the answer for a known job; else nil and the idempotency key to write.
local function find_duplicate(new_job)
  if redis.call('EXISTS', key.job(new_job.id)) == 1 then return { 'known', new_job.id } end
  if new_job.key == '' then return nil end
  local name = key.idempotency(new_job.location, new_job.key)
  local known = redis.call('GET', name)
  if not known then return nil, name end
  local job, fingerprint = string.match(known, '^(%S+) (%S*)$')
  if not job then return nil, name end  -- not written by this script
  return { fingerprint == new_job.fingerprint and 'known' or 'conflict', job }
end

local function count_and_schedule(location, states)
  for state, jobs in pairs(states) do count(location, nil, state, jobs) end
  if due[location] then schedule(location, due[location]) end
end

local function wait_in_lane(new_job)
  local id, location = new_job.id, new_job.location
  local seq = redis.call('HINCRBY', key.lane(location), 'seq', 1)
  if seq == 1 then seq = add_location(location, 1) end
  local fields = { 'state', 'pending', 'location', location, 'record', new_job.record, 'seq', seq, 'accepted_at', now }
  local function note(name, value) fields[#fields + 1], fields[#fields + 2] = name, value end
  if new_job.not_before then note('not_before', new_job.not_before) end
  if new_job.expires_at then
    note('expires_at', new_job.expires_at)
    redis.call('ZADD', key.expiring, new_job.expires_at, id)
  end
  local held_before = ever_held and held_time(location) or 0
  if held_before > 0 then note('held_before', string.format('%.0f', held_before)) end
  if new_job.expires_while_held then note('expires_while_held', 1) end
  if new_job.service ~= '' then note('service', new_job.service) end
  if new_job.priority > 0 then note('priority', new_job.priority) end
  if new_job.event_time then note('event_time', new_job.event_time) end
  if new_job.version ~= '' then note('version', new_job.version) end
  redis.call('SET', key.body(id), new_job.body)
  redis.call('HSET', key.job(id), unpack(fields))
  local at = enqueue_job(location, new_job.record, id, seq, new_job.not_before, new_job.priority)
  if at then due[location] = math.min(at, due[location] or at) end
  add_count(location, 'pending')
end

local function accept(new_job)
  local merge_target = stale_event(new_job)
  if not merge_target and new_job.merge then merge_target = merge(new_job) end
  add_count(new_job.location, 'accepted')
  if merge_target then
    mark_merged(new_job, merge_target)
    add_count(new_job.location, 'merged')
  else
    wait_in_lane(new_job)
  end
  -- Last, because it may begin with a write that a full Redis allows, and then Redis would allow all later ones.
  if new_job.event_time then note_event_time(new_job, merge_target or new_job.id, window) end
end

local answers, memory_checked = {}, false

-- take(new_job): finds the job, or accepts it; returns the answer, or an error reply when memory is full.
local function take(new_job)
  local answer, idempotency = find_duplicate(new_job)
  if answer then return answer end
  if not memory_checked then
    local refusal = memory_guard()
    if refusal then return refusal end
    memory_checked = true
  end
  accept(new_job)
  if idempotency then redis.call('SET', idempotency, new_job.id .. ' ' .. new_job.fingerprint, 'PX', window) end
  return { 'accepted', new_job.id }
end

for at = 2, #ARGV, FIELDS do
  local new_job = {
    id = ARGV[at], location = ARGV[at + 1], record = ARGV[at + 2], body = ARGV[at + 3],
    not_before = tonumber(ARGV[at + 4]), expires_at = tonumber(ARGV[at + 5]), service = ARGV[at + 6], key = ARGV[at + 7],
    fingerprint = ARGV[at + 8], priority = tonumber(ARGV[at + 9]), merge = ARGV[at + 10] == '1',
    event_time = tonumber(ARGV[at + 11]), version = ARGV[at + 12], expires_while_held = ARGV[at + 13] == '1',
  }
  local readable, answer = isolate(new_job.location, nil, take, new_job)
  if readable and answer.err then return answer end
  if not readable then answer = { 'broken', answer } end
  answers[#answers + 1], answers[#answers + 2] = answer[1], answer[2]
end
for location, states in pairs(counts) do
  isolate(location, nil, count_and_schedule, location, states)
end
return answers
