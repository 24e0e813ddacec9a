-- ack_notification: a notice has reached whom it is for, or is given up; or it is to be sent again later.
-- ARGV:
--   1 notice   as it was taken
--   2 delay    us until it is sent again, or '' when it is done with
-- Returns: 'settled' | 'postponed' | 'unknown', the last when another settled it before
-- @include now
if not redis.call('ZSCORE', key.notifications, ARGV[1]) then return 'unknown' end
if ARGV[2] == '' then
  redis.call('ZREM', key.notifications, ARGV[1])
  return 'settled'
end
redis.call('ZADD', key.notifications, now + tonumber(ARGV[2]), ARGV[1])
return 'postponed'
