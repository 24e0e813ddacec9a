-- claim_notification: the caller logs, sends and acknowledges the notification before its lease ends.
-- ARGV:
--   1 lease        us
--   2 dead_above   number of dead letters above which there is a notification, or ''
-- Returns: { notification, 'new' | 'again', us since it was made }, or nothing when none is due
-- @include now
if redis.call('HGET', key.global_state, 'dead_above') ~= (ARGV[2] ~= '' and ARGV[2]) then
  redis.call('HDEL', key.global_state, 'dead_above')
  if ARGV[2] ~= '' then redis.call('HSET', key.global_state, 'dead_above', ARGV[2]) end
end
local notification = redis.call('ZRANGEBYSCORE', key.notifications, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
if not notification[1] then return {} end
redis.call('ZADD', key.notifications, now + tonumber(ARGV[1]), notification[1])
-- One that cannot be read must not stop the others: the caller logs and removes it.
local readable, facts = pcall(cjson.decode, notification[1])
local id = readable and type(facts) == 'table' and type(facts.id) == 'string' and facts.id or ''
local made = tonumber(string.match(id, '^(%d+)-')) or now
return { notification[1], made == tonumber(notification[2]) and 'new' or 'again', now - made }
