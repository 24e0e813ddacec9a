-- limit_in_force(cap, api_limit, default): `cap` was set by a person, for the location or in the settings, and is never
-- exceeded. Else the API's limit applies, else the default. Python has the same in rate_limits.py.
local DEFAULT_BURST = 100
local DEFAULT_DAILY = 200000

local function limit_in_force(cap, api_limit, default)
  if cap and api_limit then return math.min(cap, api_limit) end
  return cap or api_limit or default
end
