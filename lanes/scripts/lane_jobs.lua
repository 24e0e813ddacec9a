-- lane_jobs: a page of the jobs of a lane, by state. Read-only.
-- ARGV:
--   1 location
--   2 ready       first of the ready jobs, from 0
--   3 delayed     first of the delayed jobs
--   4 max_count   jobs of each state
-- Returns: { number of ready jobs, number of delayed jobs, ready jobs, delayed jobs, in flight, dead letters }. Those
--   in flight are searched in the lane's newest requests, dead letters in the newest of all lanes. Each job: { id, end
--   of its wait or lease or 0, blocked jobs of its record, fields and values }
-- @include read_only
local SLOTS_SCANNED, DEAD_LETTERS_SCANNED = 200, 500
local location, max_count = ARGV[1], tonumber(ARGV[4])

-- describe_job(id, until_at): nil when the job is gone or of another lane.
local function describe_job(id, until_at)
  local fields = redis.call('HGETALL', key.job(id))
  for i = 1, #fields, 2 do
    if fields[i] == 'record' then
      return { id, tonumber(until_at) or 0, redis.call('LLEN', key.blocked(location, fields[i + 1])), fields }
    end
  end
end

local function describe_jobs(ids, times)
  local jobs = {}
  for _, id in ipairs(ids) do jobs[#jobs + 1] = describe_job(id, times and redis.call('ZSCORE', times, id)) end
  return jobs
end

-- Their rate slots are the last to become free.
local function in_flight()
  local ids, seen = {}, {}
  for _, slot in ipairs(redis.call('ZREVRANGE', key.rate_slots(location), 0, SLOTS_SCANNED - 1)) do
    local id = string.match(slot, '^(.+):%d+$')
    local listed = #ids < max_count and not seen[id] and redis.call('HGET', key.job(id), 'state') == 'in_flight'
    if listed then ids[#ids + 1] = id end
    seen[id] = true
  end
  return ids
end

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

local ready, delayed = key.ready(location), key.delayed(location)
return answer({
  redis.call('ZCARD', ready),
  redis.call('ZCARD', delayed),
  describe_jobs(page(ready, tonumber(ARGV[2]))),
  describe_jobs(page(delayed, tonumber(ARGV[3])), delayed),
  describe_jobs(in_flight(), key.leases),
  describe_jobs(dead_letters()),
})
