-- count(location, from, to, jobs): moves jobs (default 1) from the count of one state to another; either may be nil.
-- The counts over all lanes stop nothing if they are broken: the consistency check adds them up again. Jobs leave some
-- states again, so a total counts what entered them.
local TOTALS = { dead = 'dead_total', expired = 'expired_total', cancelled = 'cancelled_total' }

local function count(location, from, to, jobs)
  local lane = key.lane(location)
  if from then
    redis.pcall('HINCRBY', key.counts, from, -(jobs or 1))
    redis.call('HINCRBY', lane, from, -(jobs or 1))
  end
  if to then
    redis.pcall('HINCRBY', key.counts, to, jobs or 1)
    redis.call('HINCRBY', lane, to, jobs or 1)
    if TOTALS[to] then
      redis.pcall('HINCRBY', key.totals, to, jobs or 1)
      redis.pcall('HINCRBY', lane, TOTALS[to], jobs or 1)
    end
  end
end
