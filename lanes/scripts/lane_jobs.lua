-- lane_jobs: the jobs of a lane, as far as somebody can look at them: a bounded part of each place, whatever its length.
-- Changes nothing.
-- ARGV:
--   1 location
--   2 ready    of those that are ready, which is the first, counted from 0
--   3 later    of those that wait for a time
--   4 most     jobs of each place
-- Returns: { how many are ready, how many wait for a time, ready ones, waiting ones, in flight, dead letters }. Those in flight are
--   found among the newest requests of the lane, its letters among the newest of all lanes. Of each job:
--   { id, end of its wait or lease or 0, jobs behind it, fields and values of its hash }
local SLOTS_SCANNED, DEAD_LETTERS_SCANNED = 200, 500
local location, max_count = ARGV[1], tonumber(ARGV[4])

-- describe_job(id, until_at): the job, or nil when it is gone or of another lane.
local function describe_job(id, until_at)
  local fields = redis.call('HGETALL', key.job(id))
  for i = 1, #fields, 2 do
    if fields[i] == 'record' then
      return { id, tonumber(until_at) or 0, redis.call('LLEN', key.blocked(location, fields[i + 1])), fields }
    end
  end
end

-- describe_jobs(ids, until_at): `until_at` returns the end of a job's wait.
local function describe_jobs(ids, until_at)
  local jobs = {}
  for _, id in ipairs(ids) do jobs[#jobs + 1] = describe_job(id, until_at(id)) end
  return jobs
end

-- in_flight(): the slots of those in flight are the last to become free.
local function in_flight()
  local ids, seen = {}, {}
  for _, slot in ipairs(redis.call('ZREVRANGE', key.rate_slots(location), 0, SLOTS_SCANNED - 1)) do
    local id = string.match(slot, '^(.+):%d+$')
    if #ids < max_count and not seen[id] and redis.call('HGET', key.job(id), 'state') == 'in_flight' then ids[#ids + 1] = id end
    seen[id] = true
  end
  return ids
end

-- dead_letters(): ids of its letters, the newest first.
local function dead_letters()
  local counts, ids = redis.call('HMGET', key.lane(location), 'dead', 'expired'), {}
  if (tonumber(counts[1]) or 0) + (tonumber(counts[2]) or 0) == 0 then return ids end
  for _, id in ipairs(redis.call('ZREVRANGE', key.dead, 0, DEAD_LETTERS_SCANNED - 1)) do
    if redis.call('HGET', key.job(id), 'location') == location then ids[#ids + 1] = id end
    if #ids == max_count then return ids end
  end
  return ids
end

local function page(name, start)
  return redis.call('ZRANGE', name, start, start + max_count - 1)
end

return {
  redis.call('ZCARD', key.ready(location)),
  redis.call('ZCARD', key.delayed(location)),
  describe_jobs(page(key.ready(location), tonumber(ARGV[2])), function() return 0 end),
  describe_jobs(page(key.delayed(location), tonumber(ARGV[3])), function(id) return redis.call('ZSCORE', key.delayed(location), id) end),
  describe_jobs(in_flight(), function(id) return redis.call('ZSCORE', key.leases, id) end),
  describe_jobs(dead_letters(), function() return 0 end),
}
