-- read_all_counts: the counts over all lanes, and those of some lanes, in one step. Read-only.
-- ARGV: locations
-- Returns: { number of lanes, names and values over all lanes, those of ended lanes, those of the first location, ... }
-- @include read_only
local found = { redis.call('SCARD', key.locations), redis.call('HGETALL', key.counts),
                redis.call('HGETALL', key.ended_lanes) }
for _, location in ipairs(ARGV) do found[#found + 1] = redis.call('HGETALL', key.lane(location)) end
return answer(found)
