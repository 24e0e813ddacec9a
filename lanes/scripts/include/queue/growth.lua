local NOTICE = 3600 * 1000000

-- growth(name, field, total): returns by how much a total grew since the last notice of it, 0 within an hour of that.
-- The hash `name` keeps what was noticed.
local function growth(name, field, total)
  local noticed = redis.call('HMGET', name, field .. '_noticed', field .. '_noticed_at')
  local grown = total - (tonumber(noticed[1]) or 0)
  if grown <= 0 or now - (tonumber(noticed[2]) or 0) < NOTICE then return 0 end
  redis.call('HSET', name, field .. '_noticed', total, field .. '_noticed_at', now)
  return grown
end
