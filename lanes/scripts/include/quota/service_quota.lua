-- The quotas of a service, for new rows. A row is refused before anything of it is written.
-- Rows that may come at once, in us of the rate.
local BURST = 10 * 1000000
-- When to try again, in us. Jobs end all the time; dead letters wait for a person.
local AGAIN = { max_pending = 5 * 1000000, max_dead = 60 * 1000000 }
-- For how long (ms) a bulk is remembered in which a row was refused.
local REMEMBERED = 300000

-- refusal_of(bulk): returns the refusal of an earlier row of the bulk, nil for none.
local function refusal_of(bulk)
  local refusal = redis.pcall('GET', key.over_quota(bulk))
  return type(refusal) == 'string' and refusal or nil
end

-- remember_refusal(bulk, refusal): the script ends: its later calls for this bulk refuse all rows. Where memory is used
-- up, it is not remembered, and no later row is accepted either.
local function remember_refusal(bulk, refusal) redis.pcall('SET', key.over_quota(bulk), refusal, 'PX', REMEMBERED) end

-- open_quota(service): returns the quota of a service, false for a service without one. A broken key, or a value that
-- is no number, is no quota: the consistency check finds it. The quota has
--   refusal()         'service quota limit wait' (us) when a new row is over it, else nil: then the row uses the rate
--   count()           counts a job
--   count_refused()   counts a refused row
--   write()           stores what changed
local function open_quota(service)
  local name = key.service(service)
  local stored = redis.pcall('HMGET', name, 'max_pending', 'max_dead', 'rate', 'pending', 'dead', 'next_at')
  if stored.err then return false end
  local function number(place)
    local found = stored[place] and added(stored[place], 0)
    return type(found) == 'number' and found or nil
  end
  local max_pending, max_dead, rate = number(1), number(2), number(3)
  if not (max_pending or max_dead or rate) then return false end
  local pending, dead, next_at = number(4) or 0, number(5) or 0, math.max(number(6) or 0, now)
  if next_at > now + BURST then next_at = now end  -- the clock was set back
  local counted, refused, used = 0, 0, false

  local function over(quota, limit, wait) return string.format('%s %s %.0f %.0f', service, quota, limit, wait) end

  local quota = {}

  function quota.refusal()
    if max_pending and pending + counted >= max_pending then
      return over('max_pending', max_pending, AGAIN.max_pending)
    end
    if max_dead and dead >= max_dead then return over('max_dead', max_dead, AGAIN.max_dead) end
    if not rate then return nil end
    local following = next_at + 1000000 / math.max(rate, 1)
    if following - now > BURST then return over('rate', rate, following - now - BURST) end
    next_at, used = following, true
  end

  function quota.count() counted = counted + 1 end

  function quota.count_refused() refused = refused + 1 end

  function quota.write()
    if counted > 0 then
      redis.pcall('HINCRBY', name, 'pending', counted)
      redis.pcall('HINCRBY', name, 'moves', counted)
    end
    if refused > 0 then redis.pcall('HINCRBY', name, 'refused', refused) end
    if used then redis.pcall('HSET', name, 'next_at', string.format('%.0f', next_at)) end
  end

  return quota
end
