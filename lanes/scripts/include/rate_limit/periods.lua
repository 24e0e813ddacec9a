-- us for which rate slots are kept after they became free: an answer describes the time at which its request was sent.
local REMEMBERED = 2 * 1000000
-- A daily quota is counted by quarters of an hour.
local QUARTER = 900 * 1000000
