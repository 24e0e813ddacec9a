-- @include dead_letter/newest_delivered
-- superseded_by(location, record, id): returns the newer job that a replay would overwrite: delivered, in flight, or
-- lost (a late report may deliver it); or nil and the first newer pending job of the record, which the replay goes
-- before.
local function superseded_by(location, record, id)
  local dead_letter = age(id)
  local delivered, delivered_id = newest_delivered(location, record)
  if delivered and is_newer(delivered, dead_letter) then return delivered_id end
  local waiting = redis.call('LRANGE', key.blocked(location, record), 0, -1)
  table.insert(waiting, 1, redis.call('HGET', key.active(location), record) or nil)
  for _, other in ipairs(waiting) do
    if is_newer(age(other), dead_letter) then
      local last = redis.call('LINDEX', key.attempts(other), -1) or ''
      if redis.call('HGET', key.job(other), 'state') ~= 'pending' or string.find(last, '^%d+ lost ') then return other end
      return nil, other
    end
  end
end
