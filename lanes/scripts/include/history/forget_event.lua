-- forget_event(location, record, time): a job was cancelled; its fields no longer count as the latest.
local function forget_event(location, record, time)
  local event_times = key.event_times(location, record)
  local known = redis.call('HGETALL', event_times)
  for i = 1, #known, 2 do
    local name = known[i]
    if known[i + 1] == time and string.sub(name, 1, 1) ~= '@' then redis.call('HDEL', event_times, name) end
  end
end
