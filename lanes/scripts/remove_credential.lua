-- remove_credential: a person removes a credential, and its renewal ends.
-- ARGV:
--   1 name   as in store_credential
-- Returns: 1, or 0 when there was none
-- @include now
-- @include rate_limit/reset_api_limits
local removed = redis.call('HDEL', key.tokens, ARGV[1])
redis.call('DEL', key.token_lock(ARGV[1]))
redis.call('HDEL', key.renewals, ARGV[1])
if removed == 1 then reset_api_limits(ARGV[1]) end
return removed
