-- The budgets that a location has unless it was told otherwise, in every script that releases or reports: requests in a
-- window, the window in us, requests in a day.
local limits = { burst = tonumber(ARGV[4]), window = tonumber(ARGV[5]), daily = tonumber(ARGV[6]) }
