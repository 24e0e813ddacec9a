-- Probes: single requests whose result decides whether more are sent, of a failing or braked lane, or of all lanes.

-- probe_of(location, first): returns the lane's first or last job, or any between, so that no failing job blocks the
-- others. The clock chooses.
local function probe_of(location, first)
  if now % 3 == 0 then return first end
  if now % 3 == 1 then return redis.call('ZRANGE', key.ready(location), -1, -1)[1] end
  local place = math.floor(now / 3) % redis.call('ZCARD', key.ready(location))
  return redis.call('ZRANGE', key.ready(location), place, place)[1]
end

-- choose(lane, ready): returns the job to send. `ready` has up to two candidates, of different records. On the brake it
-- prefers a record other than the last probe's.
local function choose(lane, ready)
  if not ready[1] then return nil end
  local id = probe_of(lane.location, ready[1])
  if not lane.brake_at then return id end
  local last = redis.call('HGET', key.lane(lane.location), 'brake_record')
  if redis.call('HGET', key.job(id), 'record') ~= last then return id end
  return id == ready[1] and ready[2] or ready[1]
end

-- send_probe(id, attempt, record, lane, all_paused, lease): the request is a probe, until its lease ends.
local function send_probe(id, attempt, record, lane, all_paused, lease)
  local name = key.lane(lane.location)
  if all_paused then
    redis.call('ZREMRANGEBYSCORE', key.probes, '-inf', now)
    redis.call('ZADD', key.probes, now + lease, id .. ':' .. attempt)
    redis.call('HSET', key.job(id), 'probe', attempt)
  end
  if lane.gap then redis.call('HSET', name, 'backoff_until', now + lease) end
  if lane.brake_at then
    redis.call('HSET', name, 'brake_probe', id .. ':' .. attempt, 'brake_probe_at', now + lease, 'brake_record', record)
  end
  if lane.gap or lane.brake_at then redis.call('ZADD', key.due, 'XX', now + lease, lane.location) end
end

-- extend_probe(lane, request, released_at, lease): the request is sent again with a new lease; a probe stays single.
local function extend_probe(lane, request, released_at, lease)
  local name = key.lane(lane.location)
  if lane.gap and released_at >= lane.gap_at then redis.call('HSET', name, 'backoff_until', now + lease) end
  if redis.call('HGET', name, 'brake_probe') == request then redis.call('HSET', name, 'brake_probe_at', now + lease) end
end
