-- take_notice: whoever takes a notice logs it and sends it, and settles it before its lease ends; else another takes it.
-- ARGV:
--   1 lease        us
--   2 dead_above   of how many dead letters there is to be a notice when there are more, or '' for none
-- Returns: { notice, 'new' | 'again', us since it was made }, or nothing when none is due
-- @include now
if redis.call('HGET', key.gate, 'dead_above') ~= (ARGV[2] ~= '' and ARGV[2]) then
  redis.call('HDEL', key.gate, 'dead_above')
  if ARGV[2] ~= '' then redis.call('HSET', key.gate, 'dead_above', ARGV[2]) end
end
local notice = redis.call('ZRANGEBYSCORE', key.notices, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
if not notice[1] then return {} end
redis.call('ZADD', key.notices, now + tonumber(ARGV[1]), notice[1])
local made = tonumber(string.match(cjson.decode(notice[1]).id, '^(%d+)-'))
return { notice[1], made == tonumber(notice[2]) and 'new' or 'again', now - made }
