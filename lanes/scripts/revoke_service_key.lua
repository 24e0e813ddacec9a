-- revoke_service_key: removes a key of a service; the other one stays.
-- ARGV:
--   1 service
--   2 fingerprint  of the key
--   3 length       of a fingerprint
-- Returns: 'revoked' | 'unknown'
local service = key.service(ARGV[1])
local stored = redis.call('HMGET', service, 'key_1', 'key_2')
for i = 1, 2 do
  local digest = stored[i] and string.match(stored[i], '^%x*')
  if digest and string.sub(digest, 1, tonumber(ARGV[3])) == ARGV[2] then
    redis.call('HDEL', key.service_keys, digest)
    redis.call('HDEL', service, 'key_' .. i)
    return 'revoked'
  end
end
return 'unknown'
