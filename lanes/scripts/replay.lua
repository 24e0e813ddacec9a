-- replay: a dead letter gets a second life: it joins its lane as the youngest job, its attempts kept, none counted.
-- Moves: dead -> pending
-- ARGV:
--   1 id
-- Returns: 'replayed', or why not: 'unknown', or the state that the job is in
-- @include now
-- @include count
-- @include append
-- @include schedule
local id = ARGV[1]
local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'priority')
if not job[1] then return 'unknown' end
if job[1] ~= 'dead' then return job[1] end
redis.call('ZREM', key.dead, id)
local seq = redis.call('HINCRBY', key.lane(job[2]), 'seq', 1)
redis.call('HSET', key.job(id), 'state', 'pending', 'seq', seq, 'failures', 0)
redis.call('HDEL', key.job(id), 'reason', 'ended_at', 'not_before', 'expires_at')
count(job[2], 'dead', 'pending')
local at = append(job[2], job[3], id, seq, nil, tonumber(job[4]) or 0)
if at then schedule(job[2], at) end
return 'replayed'
