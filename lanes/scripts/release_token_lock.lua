-- release_token_lock: whoever tried to renew a credential, and did not, lets others try: at once, or after a while.
-- ARGV:
--   1 name     as in store_credential
--   2 holder   who holds the lock
--   3 note     why it was not renewed, for those who look meanwhile
--   4 wait     ms until somebody may try again
--   5 unspent  '1' when it is known that the refresh token was not spent, by this request nor by one before it
-- Returns: 'unlocked' | 'lost', the latter when the lock was another's by then
if redis.call('GET', key.token_lock(ARGV[1])) ~= ARGV[2] then return 'lost' end
-- The first write is one that a full Redis allows, and with it the next.
redis.call('DEL', key.token_lock(ARGV[1]))
if ARGV[5] == '1' then redis.call('HDEL', key.renewals, ARGV[1]) end
if tonumber(ARGV[4]) > 0 then redis.call('SET', key.token_lock(ARGV[1]), ARGV[3], 'PX', ARGV[4]) end
return 'unlocked'
