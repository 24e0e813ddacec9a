-- @include place
-- append(location, record, id, seq, at): the job joins the lane: behind the others of its record, or as their head.
local function append(location, record, id, seq, at)
  if redis.call('HSETNX', key.heads(location), record, id) == 1 then
    place(location, id, seq, at)
  else
    redis.call('RPUSH', key.behind(location, record), id)
  end
end
