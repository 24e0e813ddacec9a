-- @lazy queue/activate_blocked
-- activate_next(location, record): the active job of the record is done. The next blocked job becomes active.
local function activate_next(location, record)
  local id = redis.call('LPOP', key.blocked(location, record))
  if id then
    activate_blocked().activate_blocked(location, record, id)
  else
    redis.call('HDEL', key.active(location), record)
  end
end
