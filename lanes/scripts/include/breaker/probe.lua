-- Single requests of which it depends what else goes out: of all lanes in an outage, of a lane that fails or is on the brake.

-- probe_of(location, first): which job a lane sends as a probe: the first, the last, or any, so that none whose own fault it is
-- stands before the others for ever.
local function probe_of(location, first)
  if now % 3 == 0 then return first end
  if now % 3 == 1 then return redis.call('ZRANGE', key.ready(location), -1, -1)[1] end
  return redis.call('ZRANDMEMBER', key.ready(location))
end

-- choose(lane, ready): the job that the lane sends; `ready` are the first two that it may send, or fewer. On the brake it is one
-- of another record than the last probe, where there is one: no two of those that are ready have the same record.
local function choose(lane, ready)
  if not ready[1] or not (lane.gap or lane.brake_at) then return ready[1] end
  local id = probe_of(lane.location, ready[1])
  if not lane.brake_at then return id end
  local last = redis.call('HGET', key.lane(lane.location), 'brake_record')
  if redis.call('HGET', key.job(id), 'record') ~= last then return id end
  return id == ready[1] and ready[2] or ready[1]
end

-- send_probe(id, attempt, record, lane, shut, lease): of this request it depends what else may go out, until its lease ends.
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

-- extend_probe(lane, request, released_at, lease): the same request goes out again, with a whole lease; a probe of the brake, or of
-- a lane that fails, stays the only one.
local function extend_probe(lane, request, released_at, lease)
  local name = key.lane(lane.location)
  if lane.gap and released_at >= lane.gap_at then redis.call('HSET', name, 'backoff_until', now + lease) end
  if redis.call('HGET', name, 'brake_probe') == request then redis.call('HSET', name, 'brake_probe_at', now + lease) end
end
