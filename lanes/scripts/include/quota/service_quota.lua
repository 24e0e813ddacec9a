-- The quotas of a service, for new rows. A row is refused before anything of it is written.
-- Rows that may come at once, in us of the rate.
local BURST = 10 * 1000000
-- When to try again, in us. Jobs end all the time; dead letters wait for a person.
local AGAIN = { max_pending = 5 * 1000000, max_dead = 60 * 1000000 }
-- For how long (ms) a bulk is remembered in which a row was refused.
local REMEMBERED = 300000

-- open_quota(service, bulk): returns the quota of a service, false for a service without one. A broken key, or a value
-- that is no number, is no quota: the consistency check finds it. The quota has
--   refusal()  'service quota limit wait' (us) when a new row is refused, else nil: then the row uses the rate. Once a
--              row is refused, all later rows of the service in this bulk are, so that no record changes its order
--   count()    counts a job
--   write()    stores what changed, and counts the refused rows
local function open_quota(service, bulk)
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
  local counted, rows_refused, used, refused = 0, 0, false, nil
  if bulk ~= '' then refused = redis.call('HGET', key.over_quota(bulk), service) end

  local function refuse(quota, limit, wait)
    rows_refused = rows_refused + 1
    refused = string.format('%s %s %.0f %.0f', service, quota, limit, wait)
    -- A full Redis refuses HSET, but not PEXPIRE, and after that would take all later writes.
    if bulk ~= '' and type(redis.pcall('HSET', key.over_quota(bulk), service, refused)) == 'number' then
      redis.call('PEXPIRE', key.over_quota(bulk), REMEMBERED)
    end
    return refused
  end

  local quota = {}

  function quota.refusal()
    if refused then
      rows_refused = rows_refused + 1
      return refused
    end
    if max_pending and pending + counted >= max_pending then
      return refuse('max_pending', max_pending, AGAIN.max_pending)
    end
    if max_dead and dead >= max_dead then return refuse('max_dead', max_dead, AGAIN.max_dead) end
    if not rate then return nil end
    local following = next_at + 1000000 / math.max(rate, 1)
    if following - now > BURST then return refuse('rate', rate, following - now - BURST) end
    next_at, used = following, true
  end

  function quota.count() counted = counted + 1 end

  function quota.write()
    if counted > 0 then
      redis.pcall('HINCRBY', name, 'pending', counted)
      redis.pcall('HINCRBY', name, 'moves', counted)
    end
    if rows_refused > 0 and type(redis.pcall('HINCRBY', name, 'refused', rows_refused)) == 'number' and bulk ~= '' then
      redis.call('PEXPIRE', key.over_quota(bulk), REMEMBERED)  -- a long bulk
    end
    if used then redis.pcall('HSET', name, 'next_at', string.format('%.0f', next_at)) end
  end

  return quota
end
