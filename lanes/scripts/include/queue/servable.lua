-- Locations whose stored token a worker cannot use (`unservable`). It releases none of their jobs, and changes nothing of theirs:
-- they keep their turn for the other workers.
local DUE_PAGE = 100
local DUE_PAGES = 20
-- us after which such a worker looks again. Nobody wakes it: a lane that it cannot serve may be the first that is due.
local UNSERVABLE_PAUSE = 250000

-- due_locations(worker, from, most): of the locations in `due`, from the position `from` on, the first that are due and that the
-- worker can serve: at most so many, of those that are looked at. A worker without a name can serve all.
local function due_locations(worker, from, max_count)
  if worker == '' then return redis.call('ZRANGEBYSCORE', key.due, '-inf', now, 'LIMIT', from, max_count) end
  local found = {}
  for page = 0, DUE_PAGES - 1 do
    local locations = redis.call('ZRANGEBYSCORE', key.due, '-inf', now, 'LIMIT', from + page * DUE_PAGE, DUE_PAGE)
    if #locations == 0 then return found end
    for at, unservable in ipairs(redis.call('SMISMEMBER', key.unservable(worker), unpack(locations))) do
      if unservable == 0 then found[#found + 1] = locations[at] end
      if #found >= max_count then return found end
    end
  end
  return found
end
