-- ack_notification: a notification was sent or given up, or is sent again later.
-- ARGV:
--   1 stored   the notification as it was claimed
--   2 delay    us until it is sent again, or '' to remove it
-- Returns: 'settled' | 'postponed' | 'unknown' when another worker acknowledged it before
-- @include now
if not redis.call('ZSCORE', key.notifications, ARGV[1]) then return 'unknown' end
if ARGV[2] == '' then
  redis.call('ZREM', key.notifications, ARGV[1])
  return 'settled'
end
redis.call('ZADD', key.notifications, now + tonumber(ARGV[2]), ARGV[1])
return 'postponed'
