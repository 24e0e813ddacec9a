-- enqueue: puts jobs into their lanes.
-- Moves: nothing -> pending | merged into a waiting job of its record, or when it brings nothing new
-- ARGV:
--   1 window       ms for which idempotency keys and event times are kept
--   2 min_age      us since the end of a job for which it is not forgotten in favour of new ones
--   3 bulk         the id of the bulk that the jobs belong to, or '' for none
--   4.. per job:
--     id           the producer's choice; the same id is the same job
--     location
--     record       the opportunity within the location
--     body         JSON, as it is sent
--     options      '' for none, or some of these, each as ' name=value':
--       not_before   time in us before which it is not sent
--       expires_at   time in us from which it is not sent
--       service      name of the calling service
--       key          idempotency key
--       fingerprint  of the body, compared when the key is known
--       priority     0 to 9; higher goes first within its lane
--       merge        1 to merge into a pending job of the record
--       event_time   time in us of the event in the service
--       version      of the API that the body is for, if not the default
--       expires_while_held   1 when it expires even while it is held
-- Returns: { 'accepted' | 'known' | 'forgotten' | 'conflict', id of the job, or 'broken', what cannot be read, or
--   'over_quota', 'service quota limit wait' (us until it may be tried again); ... }: two values a job
-- @include now
-- @include queue/enqueue_job
-- @include queue/opened_lanes
-- @include queue/isolate
-- @lazy queue/options
-- @lazy merge/stale_event
-- @lazy merge/merge
-- @lazy hold/held_time
-- @lazy queue/memory_guard
-- @lazy outcomes/outcome
-- @lazy quota/service_quota
local FIELDS = 5
-- One command for all: EXISTS counts a name each time that it is given.
local existing = redis.call('EXISTS', key.held_time, key.memory_checked, key.memory_checked, key.services, key.services,
  key.services, key.services)
local ever_held, memory_checked, any_service = existing % 2 == 1, existing % 4 >= 2, existing >= 4
-- Service -> its quota, read at its first new row, or false without one.
local quotas = {}
-- The refusal of a row that is over a quota. All later rows of the bulk are refused with it, whatever their service, so
-- that no record changes its order.
local over_quota = any_service and ARGV[3] ~= '' and service_quota().refusal_of(ARGV[3]) or nil
-- Bodies are written with one command, before a merge and at the end.
local answers, bodies = {}, {}

-- any_known(): whether one of the jobs may exist already. Usually none of many does, and one command tells.
local function any_known()
  local names, seen = {}, {}
  for at = 4, #ARGV, FIELDS do
    local id = ARGV[at]
    if seen[id] then return true end
    seen[id], names[#names + 1], names[#names + 2] = true, key.job(id), key.done(id)
  end
  return redis.call('EXISTS', unpack(names)) > 0
end

local function note_answer(status, id)
  answers[#answers + 1], answers[#answers + 2] = status, id
end

-- find_duplicate(new_job, may_exist): returns the status and the id of a known job; else nil, nil and the idempotency
-- key to write.
local function find_duplicate(new_job, may_exist)
  if may_exist and redis.call('EXISTS', key.job(new_job.id), key.done(new_job.id)) > 0 then return 'known', new_job.id end
  if new_job.key == '' then return nil end
  local name = key.idempotency(new_job.location, new_job.key)
  local known = redis.call('GET', name)
  if not known then return nil, nil, name end
  local id, fingerprint = string.match(known, '^(%S+) (%S*)$')
  if not id then return nil, nil, name end  -- not written by this script
  if fingerprint ~= new_job.fingerprint then return 'conflict', id end
  return redis.call('EXISTS', key.job(id), key.done(id)) > 0 and 'known' or 'forgotten', id
end

-- accept(new_job): puts the job into its lane, or merges it into another.
local function accept(new_job)
  local id, location, record = new_job.id, new_job.location, new_job.record
  local lane = opened[location] or open_lane(location)
  local merge_target
  if new_job.has_options then
    merge_target = new_job.event_time and stale_event().stale_event(new_job)
    if not merge_target and new_job.merge then
      if bodies[1] then redis.call('MSET', unpack(bodies)) end
      bodies = {}
      merge_target = merge().merge(new_job)
    end
  end
  lane.accepted = lane.accepted + 1
  if merge_target then
    merge().mark_merged(new_job, merge_target)
    if quotas and new_job.service ~= '' then outcome().write_late(new_job, merge_target) end
    lane.merged = lane.merged + 1
  else
    local seq = lane.seq + 1
    lane.seq = seq
    bodies[#bodies + 1], bodies[#bodies + 2] = key.body(id), new_job.body
    redis.call('HSET', key.job(id), 'state', 'pending', 'location', location, 'record', record, 'seq', seq, 'accepted_at', now)
    local held_before = ever_held and held_time().held_time(location) or 0
    if new_job.has_options or held_before > 0 then options().note_options(new_job, held_before) end
    local at = enqueue_job(location, record, id, seq, new_job.not_before, new_job.priority)
    if at and at < lane.due_at then lane.due_at = at end
    lane.pending = lane.pending + 1
    if new_job.quota then new_job.quota.count() end
  end
  -- Last, because it may begin with a write that a full Redis allows, and then Redis would allow all later ones.
  if new_job.event_time then stale_event().note_event_time(new_job, merge_target or id, ARGV[1]) end
end

-- take(new_job, may_exist): finds the job, or accepts it. Returns an error reply when memory is full.
local function take(new_job, may_exist)
  local status, id, idempotency = find_duplicate(new_job, may_exist)
  if status then return note_answer(status, id) end
  if any_service then
    local service = new_job.service
    if service ~= '' then
      if quotas[service] == nil then quotas[service] = service_quota().open_quota(service) end
      new_job.quota = quotas[service]
    end
    local quota = new_job.quota
    over_quota = over_quota or (quota and quota.refusal()) or nil
    if over_quota then
      if quota then quota.count_refused() end
      return note_answer('over_quota', over_quota)
    end
  end
  if not memory_checked then
    local refusal = memory_guard().memory_guard(tonumber(ARGV[2]))
    if refusal then return refusal end
    memory_checked = true
  end
  accept(new_job)
  if idempotency then redis.call('SET', idempotency, new_job.id .. ' ' .. new_job.fingerprint, 'PX', ARGV[1]) end
  note_answer('accepted', new_job.id)
end

-- take_all(): takes every job. Returns an error reply when memory is full.
local function take_all()
  local may_exist = #ARGV == 3 + FIELDS or any_known()
  for at = 4, #ARGV, FIELDS do
    local new_job = {
      id = ARGV[at], location = ARGV[at + 1], record = ARGV[at + 2], body = ARGV[at + 3],
      service = '', key = '', fingerprint = '', priority = 0, version = '',
    }
    if ARGV[at + 4] ~= '' then options().read_options(new_job, ARGV[at + 4]) end
    local readable, refusal = isolate(new_job.location, nil, take, new_job, may_exist)
    if not readable then
      note_answer('broken', refusal)
    elseif refusal then
      return refusal
    end
  end
end

local whole, refusal = pcall(take_all)
-- Even if the script fails: Redis keeps what it wrote before.
if bodies[1] then redis.call('MSET', unpack(bodies)) end
for _, quota in pairs(quotas) do
  if quota then quota.write() end
end
write_lanes()
if over_quota and ARGV[3] ~= '' then service_quota().remember_refusal(ARGV[3], over_quota) end
if not whole then error(refusal, 0) end
return refusal or answers
