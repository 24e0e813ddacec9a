-- read_all_counts: the counts of the cell, and those of some lanes, at one moment. Changes nothing.
-- ARGV: locations
-- Returns: { how many lanes there are, names and values of the cell, those of the first lane, ... }
local found = { redis.call('SCARD', key.locations), redis.call('HGETALL', key.counts) }
for _, location in ipairs(ARGV) do found[#found + 1] = redis.call('HGETALL', key.lane(location)) end
return found
