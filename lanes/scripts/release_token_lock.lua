-- release_token_lock: a credential was not renewed: others may try, at once or after a while.
-- ARGV:
--   1 name     as in store_credential
--   2 holder   of the lock
--   3 note     why it was not renewed, shown meanwhile
--   4 wait     ms until others may try
--   5 unspent  '1' when neither this request nor an earlier one spent the refresh token, for certain
-- Returns: 'unlocked' | 'lost' when another holds the lock by now
if redis.call('GET', key.token_lock(ARGV[1])) ~= ARGV[2] then return 'lost' end
-- A full Redis allows DEL, and then all later writes.
redis.call('DEL', key.token_lock(ARGV[1]))
if ARGV[5] == '1' then redis.call('HDEL', key.renewals, ARGV[1]) end
if tonumber(ARGV[4]) > 0 then redis.call('SET', key.token_lock(ARGV[1]), ARGV[3], 'PX', ARGV[4]) end
return 'unlocked'
