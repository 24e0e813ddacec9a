-- store_credential: stores an encrypted credential and ends its renewal. A renewed credential ends a hold for the one
-- that it replaces. A person who stores one resumes the lane separately, after replaying its dead letters.
-- ARGV:
--   1 name       a location's id, or 'agency:' and a company's
--   2 encrypted  credential
--   3 replaces   version that it was renewed from; '' for any: a person stored it, perhaps for another app, so the
--                API's limits are forgotten
--   4 keep       '1' to keep the version: the same credential, encrypted again
-- Returns: the new version; 0 when another version is stored by now, and nothing was changed
-- @include now
-- @include hold/end_authorization_hold
-- @include rate_limit/reset_api_limits
local version = string.match(redis.call('HGET', key.tokens, ARGV[1]) or '', '^%d+')
if ARGV[3] ~= '' and version ~= ARGV[3] then return 0 end
if ARGV[4] ~= '1' then version = string.format('%.0f', math.max(now, (tonumber(version) or 0) + 1)) end
-- A full Redis allows DEL, and then all later writes: a token from the API can always be stored.
if ARGV[4] ~= '1' then
  redis.call('DEL', key.token_lock(ARGV[1]))
  redis.call('HDEL', key.renewals, ARGV[1])
end
redis.call('HSET', key.tokens, ARGV[1], version .. ' ' .. ARGV[2])
if ARGV[3] ~= '' and ARGV[4] ~= '1' then end_authorization_hold(ARGV[1]) end
if ARGV[3] == '' then reset_api_limits(ARGV[1]) end
return tonumber(version)
