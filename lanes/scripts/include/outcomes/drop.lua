-- @include outcomes/trim
-- drop_outcomes(needed): memory is used up: removes about `needed` of the oldest entries, read or not, from the longest
-- streams, at most MAX_STEPS * STEP. Returns the number of removed entries.
local MAX_STEPS = 5

-- longest(): returns the service with the longest stream, nil if all are empty.
local function longest()
  local services, found, max_length = redis.pcall('SMEMBERS', key.services), nil, 0
  for _, service in ipairs(services.err and {} or services) do
    local length = redis.pcall('XLEN', key.outcomes(service))
    if type(length) == 'number' and length > max_length then found, max_length = service, length end
  end
  return found
end

local function drop_outcomes(needed)
  local removed, outcomes = 0, 0
  for _ = 1, MAX_STEPS do
    local service = removed < needed and longest()
    if not service then break end
    local readable, entries, jobs = pcall(trim_oldest, service, function() return true end)
    if not readable then break end
    removed, outcomes = removed + entries, outcomes + jobs
  end
  if outcomes > 0 then redis.pcall('HINCRBY', key.totals, 'outcomes_forgotten', outcomes) end
  return removed
end
