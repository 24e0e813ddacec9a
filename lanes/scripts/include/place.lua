-- @include schedule
-- place(location, id, seq, at): the head of a record waits in `ready`, in order, or in `later` until `at`.
local function place(location, id, seq, at)
  if at and at > now then
    redis.call('ZADD', key.later(location), at, id)
  else
    redis.call('ZADD', key.ready(location), seq, id)
    at = now
  end
  schedule(location, at)
end
