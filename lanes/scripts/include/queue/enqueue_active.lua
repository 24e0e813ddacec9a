-- rank(seq, priority): where in `ready` a job stands: before all of lower priority, in order among its own.
local function rank(seq, priority)
  return seq - (priority or 0) * 1e14
end

-- enqueue_active(location, id, seq, at, priority): the head of a record waits in `ready`, in order, or in `delayed` until `at`. Returns
-- the time from which it may be sent, for `schedule`.
local function enqueue_active(location, id, seq, at, priority)
  if at and at > now then
    redis.call('ZADD', key.delayed(location), at, id)
    return at
  end
  redis.call('ZADD', key.ready(location), rank(seq, priority), id)
  return now
end
