-- @include newest
-- overtaker(location, record, id): the newer job that this letter would overwrite if it were sent now: one that was delivered, or
-- that was sent already and may have been; nil if there is none. And the first newer job of the record that waits unsent:
-- the letter can go before it.
local function overtaker(location, record, id)
  local letter = age(id)
  local delivered, delivered_id = newest_delivered(location, record)
  if delivered and is_newer(delivered, letter) then return delivered_id end
  local waiting = redis.call('LRANGE', key.behind(location, record), 0, -1)
  table.insert(waiting, 1, redis.call('HGET', key.heads(location), record) or nil)
  for _, other in ipairs(waiting) do
    if is_newer(age(other), letter) then
      if redis.call('HGET', key.job(other), 'attempt') then return other end
      return nil, other
    end
  end
end
