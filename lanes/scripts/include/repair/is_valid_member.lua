-- is_valid_member(name, location, record, member): whether a member may be under this key. Keys of a location: `ready`,
-- `delayed`, `active`, `blocked`, `rate_slots`, `newest_delivered`; of all lanes: `leases`, `expiring`, `dead`;
-- `renewals`, with the name as record; keys with a time to live: `consumer`, `unservable`, `token_lock`, with worker or
-- name as location. A member that is gone is valid.
local FAR_AHEAD = 7 * 86400 * 1000000

-- KEY_OF[name](of): the keys from which a member can be removed; `of` is a location, a worker, or another name.
local KEY_OF = {
  ready = function(of) return key.ready(of) end,
  delayed = function(of) return key.delayed(of) end,
  rate_slots = function(of) return key.rate_slots(of) end,
  consumer = function(of) return key.consumer(of) end,
  unservable = function(of) return key.unservable(of) end,
  token_lock = function(of) return key.token_lock(of) end,
  leases = function() return key.leases end,
  expiring = function() return key.expiring end,
  dead = function() return key.dead end,
}
local VALIDATORS = {}

local function waits_in(name)
  return function(location, _, id)
    local job = redis.call('HMGET', key.job(id), 'state', 'location')
    return job[1] and job[2] == location or not redis.call('ZSCORE', KEY_OF[name](location), id)
  end
end

VALIDATORS.ready, VALIDATORS.delayed = waits_in('ready'), waits_in('delayed')

function VALIDATORS.active(location, record, id)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record')
  local held = job[1] == 'pending' or job[1] == 'in_flight' or redis.call('ZSCORE', key.leases, id)
  return held and job[2] == location and job[3] == record or redis.call('HGET', key.active(location), record) ~= id
end

function VALIDATORS.blocked(location, record, id)
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record')
  if job[1] == 'pending' and job[2] == location and job[3] == record then
    local active = redis.call('HGET', key.active(location), record)
    if active and active ~= id then return true end
  end
  return not redis.call('LPOS', key.blocked(location, record), id)
end

function VALIDATORS.rate_slots(location, _, attempt)
  return (tonumber(redis.call('ZSCORE', key.rate_slots(location), attempt)) or 0) < now + FAR_AHEAD
end

function VALIDATORS.newest_delivered(location, record)
  return redis.call('HEXISTS', key.dead_letter_counts(location), record) == 1
    or redis.call('HEXISTS', key.newest_delivered(location), record) == 0
end

local function has_ttl(name)
  return function(of) return redis.call('PTTL', KEY_OF[name](of)) ~= -1 end
end

VALIDATORS.consumer, VALIDATORS.unservable = has_ttl('consumer'), has_ttl('unservable')
VALIDATORS.token_lock = has_ttl('token_lock')

function VALIDATORS.renewals(_, name)
  local noted = redis.call('HGET', key.renewals, name)
  local version = string.match(redis.call('HGET', key.tokens, name) or '', '^%d+')
  return not noted or version and string.match(noted, '^(%d+) %d+$') == version
end

local function has_job(name)
  return function(_, _, id)
    return redis.call('HEXISTS', key.job(id), 'state') == 1 or not redis.call('ZSCORE', KEY_OF[name](), id)
  end
end

VALIDATORS.leases, VALIDATORS.expiring, VALIDATORS.dead = has_job('leases'), has_job('expiring'), has_job('dead')

local function is_valid_member(name, location, record, member)
  return VALIDATORS[name](location, record, member) and true or false
end
