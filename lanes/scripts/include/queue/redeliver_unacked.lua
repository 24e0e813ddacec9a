-- @include breaker/probe
-- redeliver_unacked(worker, last, lease): returns the worker's last job again if it was never reported: the reply of
-- that call was lost, because a consumer sends one job at a time. Same attempt, new lease. `last` is what its key had.
local function redeliver_unacked(worker, last, lease)
  local id, attempt = string.match(last, '^(.+):(%d+)$')
  if not id then return nil end
  local job = redis.call('HMGET', key.job(id), 'state', 'attempt', 'location', 'failures', 'released_at',
    'merged_count', 'version')
  if job[1] ~= 'in_flight' or job[2] ~= attempt then return nil end
  redis.call('SET', key.consumer(worker), last, 'PX', math.ceil(lease / 1000))
  redis.call('ZADD', key.leases, now + lease, id)
  local lane = read_lane(job[3])
  redis.call('ZADD', key.rate_slots(job[3]), now + lease + lane.window, id .. ':' .. attempt)
  redis.call('ZADD', key.probes, 'XX', now + lease, id .. ':' .. attempt)
  extend_probe(lane, id .. ':' .. attempt, tonumber(job[5]), lease)
  return { id, job[3], tonumber(attempt), tonumber(job[4]) or 0, tonumber(job[5]), tonumber(job[6]) or 0, job[7] or '',
           redis.call('GET', key.body(id)) }
end
