-- renew_version: the agency that mints a location's credential has another token. The credential gets a new version: a refusal that is
-- reported from now on is one of the version before, and holds nothing. It may be minted at once.
-- ARGV:
--   1 name       a location's id
-- Returns: 'renewed' | 'unknown' when nothing stands there
-- @include now
local version, encrypted = string.match(redis.call('HGET', key.tokens, ARGV[1]) or '', '^(%d+) (.*)$')
if not version then return 'unknown' end
-- The first write is one that a full Redis allows, and with it the next.
redis.call('DEL', key.token_lock(ARGV[1]))
redis.call('HSET', key.tokens, ARGV[1], string.format('%.0f', math.max(now, tonumber(version) + 1)) .. ' ' .. encrypted)
return 'renewed'
