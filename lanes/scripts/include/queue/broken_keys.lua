-- What Redis and Lua say of a value or a key that is not what it should be.
local SYMPTOMS = { 'WRONGTYPE', 'not an integer', 'not a valid float', 'not a float', 'overflow', 'attempt to ',
                   'bad argument', 'invalid expire', 'is no number', 'cannot be read' }

-- symptom_in(failure): returns what a failed step says of a stored value, nil for any other failure, like full memory.
local function symptom_in(failure)
  local text = type(failure) == 'table' and failure.err or tostring(failure)
  for _, symptom in ipairs(SYMPTOMS) do
    if string.find(text, symptom, 1, true) then return text end
  end
end

-- broken_in(types, of): returns which of these keys has another Redis type than it should. `of` is a location, the id
-- of a job, or nil for the keys of all lanes.
local function broken_in(types, of)
  for template, expected in pairs(types) do
    local name = prefix .. string.gsub(template, '{%w+}', function() return of end)
    local found = redis.call('TYPE', name).ok
    if found ~= 'none' and found ~= expected then return name .. ' is a ' .. found .. ', not a ' .. expected end
  end
end

-- find_broken(location, id, failure): returns what is broken when a step failed because a stored value of this lane, or
-- of its job `id`, cannot be read. Fails for any other failure, and for a broken key of all lanes, which it names.
local function find_broken(location, id, failure)
  local symptom = symptom_in(failure)
  if not symptom then error(failure, 0) end
  local global = broken_in(GLOBAL_KEYS)
  if global then error('WRONGTYPE ' .. global, 0) end
  return id and broken_in(JOB_KEYS, id) or location and broken_in(LANE_KEYS, location) or symptom
end
