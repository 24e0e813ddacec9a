-- write_outcomes: writes outcomes of merged jobs that the end of their job has left, some hundred at a time.
-- Returns: jobs with outcomes that are not written yet
-- @include outcomes/append
local BATCH = 500

-- write_some(packed): writes outcomes of a job; returns whether it has more.
local function write_some(packed)
  local id, outcome = unpack_outcome(packed)
  local rest, by_service = key.merged_outcomes(id, outcome.number), {}
  add_merged(redis.call('SPOP', rest, BATCH), by_service)
  append_all(by_service, outcome)
  return redis.call('SCARD', rest) > 0
end

local packed = redis.pcall('LINDEX', key.outcome_backlog, 0)
if type(packed) ~= 'string' then return 0 end  -- none, or a broken key, which the consistency check finds
local readable, more = pcall(write_some, packed)
-- One that cannot be read stops no other.
if not readable then lose(1) end
if not (readable and more) then redis.call('LPOP', key.outcome_backlog) end
return redis.call('LLEN', key.outcome_backlog)
