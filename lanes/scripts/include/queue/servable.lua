-- A worker skips the locations in its `unservable` set: it cannot use their tokens. They stay due for other workers.
local DUE_PAGE = 100
local DUE_PAGES = 20
-- us after which such a worker asks again. It is not woken: the first due lane may be one that it cannot serve.
local UNSERVABLE_PAUSE = 250000

-- due_locations(worker, from, max_count): returns due locations that the worker can serve, from position `from` of
-- `due` on. An empty worker name can serve all.
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

-- next_servable(worker, from): returns the first such location; or nil and when to ask again, in us.
local function next_servable(worker, from)
  local location = due_locations(worker, from, 1)[1]
  return location, not location and UNSERVABLE_PAUSE or nil
end
