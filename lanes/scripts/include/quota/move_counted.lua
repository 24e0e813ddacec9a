-- Where a service counts a job, by the job's state; jobs in other states are not counted.
local COUNTERS = { pending = 'pending', in_flight = 'pending', dead = 'dead', expired = 'dead' }

-- move_counted(service, from, to): moves a job that carries `counted` from the counter of one state to that of another;
-- either may be nil. A broken counter stops nothing: the consistency check counts again. A service that was removed
-- ends with the last job that it counts.
local function move_counted(service, from, to)
  from, to = COUNTERS[from or ''], COUNTERS[to or '']
  if not service or from == to then return end
  local name = key.service(service)
  redis.pcall('HINCRBY', name, 'moves', 1)
  if to then redis.pcall('HINCRBY', name, to, 1) end
  if not from or redis.pcall('HINCRBY', name, from, -1) ~= 0 then return end
  local stored = redis.pcall('HMGET', name, 'added_at', 'pending', 'dead')
  if stored.err or stored[1] then return end
  if (tonumber(stored[2]) or 0) == 0 and (tonumber(stored[3]) or 0) == 0 then redis.call('DEL', name) end
end
