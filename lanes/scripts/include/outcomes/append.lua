-- @include history/read_done
-- An outcome is one entry of its service's stream, for a job and the jobs of that service that were merged into it.
-- `by_service` has their ids by service, each with the time of its acceptance.

-- time_text(value): returns a time as it is stored in an entry.
local function time_text(value) return string.match(value or '', '^%d+$') or '0' end

-- lose(number): counts outcomes that cannot be written. A broken key of a service stops no job: the consistency check
-- reports it.
local function lose(number) redis.pcall('HINCRBY', key.totals, 'outcomes_lost', number) end

-- append_all(by_service, outcome): appends an entry for each service.
local function append_all(by_service, outcome)
  for service, jobs in pairs(by_service) do
    local entry = redis.pcall('XADD', key.outcomes(service), '*', 'jobs', table.concat(jobs, ' '),
      'end', outcome.number, 'state', outcome.state, 'reason', outcome.reason, 'ended_at', outcome.ended_at,
      'detail', outcome.detail)
    if type(entry) == 'table' and entry.err then lose(#jobs / 2) end
  end
end

-- writes_outcomes(service): whether the service was added, with outcomes.
local function writes_outcomes(service)
  return (service or '') ~= '' and redis.pcall('HGET', key.service(service), 'outcomes') == '1'
end

-- add_merged(ids, by_service): adds merged jobs whose services have outcomes. One that is gone or cannot be read may
-- have had such a service: its outcome is lost.
local function add_merged(ids, by_service)
  local tells, missing = {}, 0
  for _, id in ipairs(ids) do
    local readable, done = pcall(read_done, id)
    if not (readable and done) then missing = missing + 1 end
    local service = readable and done and done.fields.service
    if service and tells[service] == nil then tells[service] = writes_outcomes(service) end
    if service and tells[service] then
      local jobs = by_service[service] or {}
      by_service[service], jobs[#jobs + 1], jobs[#jobs + 2] = jobs, id, time_text(done.fields.accepted_at)
    end
  end
  if missing > 0 then lose(missing) end
end

-- pack_outcome(id, outcome), unpack_outcome(text): the outcome of a job, as it is kept until a worker wrote the rest.
local function pack_outcome(id, outcome)
  return cmsgpack.pack({ id, outcome.number, outcome.state, outcome.reason, outcome.ended_at, outcome.detail })
end

local function unpack_outcome(bytes)
  local packed = cmsgpack.unpack(bytes)
  return packed[1], { number = packed[2], state = packed[3], reason = packed[4], ended_at = packed[5],
                      detail = packed[6] }
end
