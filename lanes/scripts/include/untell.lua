-- untell(location, record, time): the event of this time was taken back: its fields count as if nobody had told of them.
local function untell(location, record, time)
  local events = key.events(location, record)
  local known = redis.call('HGETALL', events)
  for i = 1, #known, 2 do
    local name = known[i]
    if known[i + 1] == time and string.sub(name, 1, 1) ~= '@' then redis.call('HDEL', events, name) end
  end
end
