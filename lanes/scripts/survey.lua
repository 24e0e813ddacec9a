-- survey: how much could be sent now, and when to ask again. Changes nothing.
-- ARGV:
--   1 most    count no further than this
--   2 burst   requests of a location in a window
-- Returns: { due jobs, at most `most`; us until the first lane is due, 0 if one is, -1 if none will be }
-- @include now
local most, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local first = redis.call('ZRANGE', key.due, 0, 0, 'WITHSCORES')
if not first[1] then return { 0, -1 } end
if tonumber(first[2]) > now then return { 0, tonumber(first[2]) - now } end
local due = 0
for _, location in ipairs(redis.call('ZRANGEBYSCORE', key.due, '-inf', now, 'LIMIT', 0, most)) do
  local jobs = redis.call('ZCARD', key.ready(location)) + redis.call('ZCOUNT', key.later(location), '-inf', now)
  local own = tonumber(redis.call('HGET', key.lane(location), 'burst')) or burst
  local free = own - redis.call('ZCOUNT', key.slots(location), '(' .. string.format('%.0f', now), '+inf')
  due = due + math.min(jobs, math.max(free, 0))
  if due >= most then return { most, 0 } end
end
return { math.max(due, 1), 0 }
