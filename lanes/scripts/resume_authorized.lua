-- resume_authorized: ends a lane's hold for authorization after its credential was replaced. A person's hold stays.
-- ARGV:
--   1 location
-- Returns: 'resumed' | 'held' when a person holds it as well | 'refused' when the refused credential is still stored |
--   'free' when authorization was no cause
-- @include now
-- @include hold/end_authorization_hold
local lane = key.lane(ARGV[1])
if redis.call('HEXISTS', lane, 'unauthorized') == 0 then return 'free' end
if not end_authorization_hold(ARGV[1]) then return 'refused' end
return redis.call('HEXISTS', lane, 'hold') == 1 and 'held' or 'resumed'
