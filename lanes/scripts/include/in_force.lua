-- in_force(cap, told, default): the limit in force. `cap` is what a person set, for the location or in the settings, and is never
-- exceeded; `told` is what the API says that it applies. The default holds where neither is known.
local DEFAULT_BURST, DEFAULT_DAILY = 100, 200000

local function in_force(cap, told, default)
  if cap and told then return math.min(cap, told) end
  return cap or told or default
end
