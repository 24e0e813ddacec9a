-- queue_position: where an unfinished job is and what it waits for; for a merged job, that of its merge target.
-- Read-only.
-- ARGV:
--   1 id
-- Returns: names and values; nothing for an unknown job. Times in us.
--    now, id, state, location   always
--    first_seq                  if it was replayed
--    pending_state              ready, delayed or blocked
--    ahead                      jobs before it, of its lane if ready, of its record if blocked
--    until                      end of its delay, or of its lease
--    not_before, expires_at     the latter plus the time for which it was held
--    active_job, active_until   of a blocked job: the active job of its record, and the end of its delay or lease
--    attempt, worker            of a job in flight
--    other fields of the lane, and of all lanes
-- @include read_only
-- @include now
-- @include queue/expiry
-- @include history/read_done
local found = {}
local function note(name, value)
  if not value then return end
  found[#found + 1], found[#found + 2] = name, type(value) == 'number' and string.format('%.0f', value) or value
end

local function note_all(from, names, label)
  local values = redis.call('HMGET', from, unpack(names))
  for i, name in ipairs(names) do note((label or '') .. name, values[i]) end
end

local function note_pending_state(id, location, record)
  local rank = redis.call('ZRANK', key.ready(location), id)
  local at = redis.call('ZSCORE', key.delayed(location), id)
  if rank then
    note('pending_state', 'ready')
    note('ahead', rank)
  elseif at then
    note('pending_state', 'delayed')
    note('until', at)
  else
    local active = redis.call('HGET', key.active(location), record)
    note('pending_state', 'blocked')
    note('ahead', (redis.call('LPOS', key.blocked(location, record), id) or 0) + 1)
    note('active_job', active)
    if active then
      note('active_until', redis.call('ZSCORE', key.delayed(location), active) or redis.call('ZSCORE', key.leases, active))
    end
  end
end

-- done_fields(id): of a done job; none for another one, and for one that cannot be read.
local function done_fields(id)
  local readable, done = pcall(read_done, id)
  return readable and done and done.fields or {}
end

local id = done_fields(ARGV[1]).merged_into or ARGV[1]
local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'expires_at', 'first_seq')
local state, location, record, expires_at, first_seq = job[1], job[2], job[3], job[4], job[5]
if not state then
  local fields = done_fields(id)
  state, location, first_seq = fields.state, fields.location, fields.first_seq
end
if not state then return answer({}) end
note('now', now)
note('id', id)
note('state', state)
note('location', location)
note('first_seq', first_seq)
if state == 'pending' then
  note_pending_state(id, location, record)
  note_all(key.job(id), { 'not_before' })
  note('expires_at', expires_at and expiry(id, location, expires_at))
  note_all(key.lane(location), { 'hold', 'held_by', 'unauthorized', 'backoff_until', 'throttled_until', 'rate_limited_until',
    'run_failures', 'gap', 'brake_at', 'brake_probe_at', 'refused_run', 'refused_status' })
  note_all(key.global_state, { 'hold', 'held_by' }, 'all_')
  note_all(key.global_state, { 'outage_since', 'half_open_limit', 'probe_at', 'cause', 'status' })
elseif state == 'in_flight' then
  note('until', redis.call('ZSCORE', key.leases, id))
  note_all(key.job(id), { 'attempt', 'worker' })
end
return answer(found)
