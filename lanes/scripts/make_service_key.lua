-- make_service_key: stores a new key of a service. A third key replaces the older of two.
-- ARGV:
--   1 service
--   2 digest    SHA-256 of the key, as hex
-- Returns: 'made' | 'unknown'
-- @include now
local service = key.service(ARGV[1])
local stored = redis.call('HMGET', service, 'added_at', 'key_1', 'key_2')
if not stored[1] then return 'unknown' end
local function made_at(place) return stored[place] and tonumber(string.match(stored[place], ' (%d+)$')) or -1 end
local place = made_at(2) <= made_at(3) and 2 or 3
if stored[place] then redis.call('HDEL', key.service_keys, string.match(stored[place], '^%x*')) end
redis.call('HSET', service, 'key_' .. (place - 1), ARGV[2] .. ' ' .. string.format('%.0f', now))
redis.call('HSET', key.service_keys, ARGV[2], ARGV[1])
return 'made'
