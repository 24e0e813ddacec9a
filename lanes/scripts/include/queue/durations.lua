-- add_duration(us): adds a duration to the reply of a report: from release to report, then what a delivered job waited.
local durations = ''
local function add_duration(us) durations = string.format('%s %.0f', durations, us) end
