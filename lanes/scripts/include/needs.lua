-- @include queue/schedule
-- What a job may need of whoever sends it: a version that made jobs which older workers would send wrongly writes a higher number
-- into their field `needs`.
local UNDERSTOOD = 1
local LOOK_AGAIN = 5 * 1000000

-- leave_alone(location, id): a job that needs more stays for newer workers, in its order; its lane goes on with others. Looked at
-- again in a while, by whoever comes first.
local function leave_alone(location, id)
  redis.call('ZREM', key.ready(location), id)
  redis.call('ZADD', key.delayed(location), now + LOOK_AGAIN, id)
  schedule(location, now + LOOK_AGAIN)
end
