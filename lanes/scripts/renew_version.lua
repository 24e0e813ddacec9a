-- renew_version: the agency that a location's token comes from has another token. The new version makes reports of a
-- refusal refer to an older one, which holds nothing. The location's token may be exchanged at once.
-- ARGV:
--   1 name       a location's id
-- Returns: 'renewed' | 'unknown' when nothing is stored
-- @include now
local version, encrypted = string.match(redis.call('HGET', key.tokens, ARGV[1]) or '', '^(%d+) (.*)$')
if not version then return 'unknown' end
-- A full Redis allows DEL, and then all later writes.
redis.call('DEL', key.token_lock(ARGV[1]))
redis.call('HSET', key.tokens, ARGV[1], string.format('%.0f', math.max(now, tonumber(version) + 1)) .. ' ' .. encrypted)
return 'renewed'
