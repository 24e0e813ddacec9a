-- count(location, from, to): one job left the state `from` and entered the state `to`; either may be nil.
local function count(location, from, to)
  local lane = key.lane(location)
  if from then
    redis.call('HINCRBY', key.counts, from, -1)
    redis.call('HINCRBY', lane, from, -1)
  end
  if to then
    redis.call('HINCRBY', key.counts, to, 1)
    redis.call('HINCRBY', lane, to, 1)
  end
end
