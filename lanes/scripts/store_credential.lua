-- store_credential: a credential, encrypted, takes the place of another; whoever holds its lock is done with it. Where it was made from
-- the one for which a lane is held (a renewal), authorization is no cause of that hold any more; a person who stores one resumes by
-- himself, after replaying what died for want of it.
-- ARGV:
--   1 name       a location's id, or 'agency:' and a company's
--   2 sealed     the encrypted credential
--   3 replaces   the version that it was made from, or '' for whatever there is: a person put it there, perhaps that of another app,
--                and the limits that the API told are forgotten
--   4 keep       '1' to keep the version: the same credential, encrypted anew
-- Returns: the new version; 0 when another stands there by now, and nothing was changed
-- @include now
-- @include hold/end_authorization_hold
-- @include rate_limit/reset_api_limits
local version = string.match(redis.call('HGET', key.tokens, ARGV[1]) or '', '^%d+')
if ARGV[3] ~= '' and version ~= ARGV[3] then return 0 end
if ARGV[4] ~= '1' then version = string.format('%.0f', math.max(now, (tonumber(version) or 0) + 1)) end
-- The first write is one that a full Redis allows, and with it the next: what the API gave can always be written down.
if ARGV[4] ~= '1' then
  redis.call('DEL', key.token_lock(ARGV[1]))
  redis.call('HDEL', key.renewals, ARGV[1])
end
redis.call('HSET', key.tokens, ARGV[1], version .. ' ' .. ARGV[2])
if ARGV[3] ~= '' and ARGV[4] ~= '1' then end_authorization_hold(ARGV[1]) end
if ARGV[3] == '' then reset_api_limits(ARGV[1]) end
return tonumber(version)
