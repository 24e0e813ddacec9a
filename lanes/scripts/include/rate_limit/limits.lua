-- The limits of the settings, in every script that releases or reports: requests in a window, the window in us,
-- requests in a day. A limit that is not set ('' in ARGV) is nil: then the API's applies.
local limits = { burst = tonumber(ARGV[4]), window = tonumber(ARGV[5]), daily = tonumber(ARGV[6]) }
