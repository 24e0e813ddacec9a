-- What the settings say of every location, in every script that releases or reports: requests in a window, the window in us,
-- requests in a day. A limit is nil ('' in ARGV) where nobody set it: then the API's own holds.
local limits = { burst = tonumber(ARGV[4]), window = tonumber(ARGV[5]), daily = tonumber(ARGV[6]) }
