-- belongs(name, location, record, member): whether what stands under this key may stand there, as far as the jobs tell: of the keys
-- of a location `ready`, `later`, `heads`, `behind`, `slots`, `newest`, of the cell `leases`, `expiring`, `dead`; `renewals`,
-- whose name stands for the record; and what must end by itself, `seat`, `unservable`, `token_lock`, whose worker or name stands for
-- the location. What is there no more belongs.
local AGES = 7 * 86400 * 1000000

local BELONGS = {}

function BELONGS.ready(location, _, id)
  local job = redis.call('HMGET', key.job(id), 'state', 'location')
  return job[1] and job[2] == location or not redis.call('ZSCORE', key.ready(location), id)
end

function BELONGS.later(location, _, id)
  local job = redis.call('HMGET', key.job(id), 'state', 'location')
  return job[1] and job[2] == location or not redis.call('ZSCORE', key.later(location), id)
end

function BELONGS.heads(location, record, id)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record')
  local held = job[1] == 'pending' or job[1] == 'in_flight' or redis.call('ZSCORE', key.leases, id)
  return held and job[2] == location and job[3] == record or redis.call('HGET', key.heads(location), record) ~= id
end

function BELONGS.behind(location, record, id)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record')
  if job[1] == 'pending' and job[2] == location and job[3] == record then
    local head = redis.call('HGET', key.heads(location), record)
    if head and head ~= id then return true end
  end
  return not redis.call('LPOS', key.behind(location, record), id)
end

function BELONGS.slots(location, _, attempt)
  return (tonumber(redis.call('ZSCORE', key.slots(location), attempt)) or 0) < now + AGES
end

function BELONGS.newest(location, record)
  return redis.call('HEXISTS', key.letters(location), record) == 1
    or redis.call('HEXISTS', key.newest(location), record) == 0
end

local function ends_by_itself(name)
  return function(of) return redis.call('PTTL', name(of)) ~= -1 end
end

BELONGS.seat, BELONGS.unservable = ends_by_itself(key.seat), ends_by_itself(key.unservable)
BELONGS.token_lock = ends_by_itself(key.token_lock)

function BELONGS.renewals(_, name)
  local noted = redis.call('HGET', key.renewals, name)
  local version = string.match(redis.call('HGET', key.tokens, name) or '', '^%d+')
  return not noted or version and string.match(noted, '^(%d+) %d+$') == version
end

local function has_job(name)
  return function(_, _, id)
    return redis.call('HEXISTS', key.job(id), 'state') == 1 or not redis.call('ZSCORE', name, id)
  end
end

BELONGS.leases, BELONGS.expiring, BELONGS.dead = has_job(key.leases), has_job(key.expiring), has_job(key.dead)

local function belongs(name, location, record, member)
  return BELONGS[name](location, record, member) and true or false
end
