-- edit: a person mends the body of a dead letter, or of an expired job; the body as it was accepted is kept beside it.
-- ARGV:
--   1 id
--   2 read       the body as it was read
--   3 body       the body as it shall be
--   4 location   that it writes to
--   5 record     that it writes
-- Returns: 'edited', or why not: 'unknown', the state that the job is in, 'changed' when the body is not what was read, or
--   'elsewhere' when the new body writes another opportunity: the order of its record would not hold
-- @include now
local id = ARGV[1]
local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record')
if not job[1] then return 'unknown' end
if job[1] ~= 'dead' and job[1] ~= 'expired' then return job[1] end
if job[2] ~= ARGV[4] or job[3] ~= ARGV[5] then return 'elsewhere' end
if redis.call('GET', key.body(id)) ~= ARGV[2] then return 'changed' end
redis.call('SETNX', key.original(id), ARGV[2])
redis.call('SET', key.body(id), ARGV[3])
redis.call('HSET', key.job(id), 'edited_at', now)
return 'edited'
