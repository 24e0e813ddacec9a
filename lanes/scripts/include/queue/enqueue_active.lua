-- rank(seq, priority): returns the score in `ready`: higher priority first, then by seq.
local function rank(seq, priority)
  return seq - (priority or 0) * 1e14
end

-- enqueue_active(location, id, seq, at, priority): puts the active job of a record into `ready`, or into `delayed`
-- until `at`. Returns the time from which it may be sent, for `schedule`.
local function enqueue_active(location, id, seq, at, priority)
  if at and at > now then
    redis.call('ZADD', key.delayed(location), at, id)
    return at
  end
  redis.call('ZADD', key.ready(location), rank(seq, priority), id)
  return now
end
