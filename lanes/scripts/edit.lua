-- edit: a person edits the body of a dead letter or expired job. The original body is kept.
-- ARGV:
--   1 id
--   2 read       the body as it was read
--   3 body       the new body
--   4 location   of the new body
--   5 record     of the new body
-- Returns: 'edited', 'unknown', the state that the job is in, 'changed' when the body is not the one that was read, or
--   'elsewhere' when the new body is for another record, whose order would not hold
-- @include now
-- @include history/read_done
local id = ARGV[1]
local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record')
if not job[1] then return done_state(id) or 'unknown' end
if job[1] ~= 'dead' and job[1] ~= 'expired' then return job[1] end
if job[2] ~= ARGV[4] or job[3] ~= ARGV[5] then return 'elsewhere' end
if redis.call('GET', key.body(id)) ~= ARGV[2] then return 'changed' end
redis.call('SETNX', key.original(id), ARGV[2])
redis.call('SET', key.body(id), ARGV[3])
redis.call('HSET', key.job(id), 'edited_at', now)
return 'edited'
