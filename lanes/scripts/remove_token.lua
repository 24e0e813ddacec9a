-- remove_token: a person removes a credential; whoever renews it is done with it.
-- ARGV:
--   1 name   as in store_token
-- Returns: 1, or 0 when there was none
-- @include now
-- @include forget_limits
local removed = redis.call('HDEL', key.tokens, ARGV[1])
redis.call('DEL', key.token_lock(ARGV[1]))
redis.call('HDEL', key.renewals, ARGV[1])
if removed == 1 then forget_limits(ARGV[1]) end
return removed
