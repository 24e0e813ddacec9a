-- limit_in_force(cap, told, default): the limit in force. `cap` is what a person set, for the location or in the settings, and is never
-- exceeded; `api_limit` is what the API says that it applies. The default holds where neither is known.
local DEFAULT_BURST, DEFAULT_DAILY = 100, 200000

local function limit_in_force(cap, api_limit, default)
  if cap and api_limit then return math.min(cap, api_limit) end
  return cap or api_limit or default
end
