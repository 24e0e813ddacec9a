-- @include queue/count
-- @include queue/enqueue_active
-- @include queue/schedule
-- repair_record(location, record, id): rebuilds the order of a record: the job in flight first, then pending jobs by
-- seq. Removes jobs that are not of the record. `id` is a job that may be missing, or nil. Reads all jobs of the
-- record: only for a broken one.
local function read_record(location, record, id)
  local waiting, seen, holder = {}, {}, nil
  local function add(other)
    if not other or seen[other] then return end
    seen[other] = true
    local job = redis.call('HMGET', key.job(other), 'state', 'location', 'record', 'seq', 'priority', 'not_before')
    if job[2] ~= location or job[3] ~= record then return end
    local state, leased = job[1], redis.call('ZSCORE', key.leases, other)
    if state ~= 'pending' and (leased or state == 'in_flight') and not holder then
      holder = other
      return
    end
    if state == 'in_flight' then  -- a second one: the report of its attempt will be stale
      redis.call('ZREM', key.leases, other)
      redis.call('HSET', key.job(other), 'state', 'pending')
      count(location, state, 'pending')
      state = 'pending'
    end
    if state == 'pending' then
      waiting[#waiting + 1] = { id = other, seq = tonumber(job[4]) or 0, priority = tonumber(job[5]),
                                not_before = tonumber(job[6]), position = #waiting }
    end
  end
  add(redis.call('HGET', key.active(location), record))
  for _, other in ipairs(redis.call('LRANGE', key.blocked(location, record), 0, -1)) do add(other) end
  add(id)
  table.sort(waiting, function(one, other)
    if one.seq ~= other.seq then return one.seq < other.seq end
    return one.position < other.position
  end)
  return waiting, holder
end

-- requeue_active(location, job): the active job keeps its place in `ready` or `delayed`, or gets one.
local function requeue_active(location, job)
  local ready = redis.call('ZSCORE', key.ready(location), job.id)
  local at = tonumber(redis.call('ZSCORE', key.delayed(location), job.id))
  if ready then redis.call('ZREM', key.delayed(location), job.id) end
  schedule(location, ready and now or at or enqueue_active(location, job.id, job.seq, job.not_before, job.priority))
end

local function repair_record(location, record, id)
  local waiting, holder = read_record(location, record, id)
  local blocked = key.blocked(location, record)
  local function dequeue(other)
    redis.call('ZREM', key.ready(location), other)
    redis.call('ZREM', key.delayed(location), other)
  end
  redis.call('DEL', blocked)
  if holder then
    redis.call('HSET', key.active(location), record, holder)
    dequeue(holder)
  elseif waiting[1] then
    redis.call('HSET', key.active(location), record, waiting[1].id)
    requeue_active(location, waiting[1])
  else
    redis.call('HDEL', key.active(location), record)
  end
  for i = holder and 1 or 2, #waiting do
    dequeue(waiting[i].id)
    redis.call('RPUSH', blocked, waiting[i].id)
  end
end
