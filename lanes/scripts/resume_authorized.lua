-- resume_authorized: another credential has taken the place of the one for which a lane was held. Authorization is no cause of the
-- hold any more; a person's hold stays.
-- ARGV:
--   1 location
-- Returns: 'resumed' when authorization was the only cause | 'held' when a person holds it as well | 'refused' when the credential that
--   was refused still stands there | 'free' when authorization was no cause
-- @include now
-- @include hold/end_authorization_hold
local lane = key.lane(ARGV[1])
if redis.call('HEXISTS', lane, 'unauthorized') == 0 then return 'free' end
if not end_authorization_hold(ARGV[1]) then return 'refused' end
return redis.call('HEXISTS', lane, 'hold') == 1 and 'held' or 'resumed'
