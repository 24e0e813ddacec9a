-- replay: sends a dead letter or expired job again. It keeps its attempts, but none counts, and its age starts now. It
-- goes before newer pending jobs of its record, else last in its lane.
-- Moves: dead | expired -> pending
-- ARGV:
--   1 id
--   2 force      1 to send it last, even if it overwrites something newer; else 0
--   3 dry_run    1 to change nothing and return the answer only; else 0
-- Returns: { 'replayed', '', unconfirmed }, { 'unknown', '' }, { the state that the job is in, '' }, or { 'superseded',
--   id of a newer job of its record that is delivered or may be, unconfirmed }; unconfirmed is 1 if the API may have
--   it, else 0
-- @include now
-- @include queue/count
-- @include history/read_done
-- @include queue/enqueue_job
-- @include hold/held_time
-- @include dead_letter/superseded_by
-- @include queue/schedule
-- @include queue/insert_before
-- @lazy quota/move_counted
local id = ARGV[1]
local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'priority', 'seq', 'reason', 'counted', 'service')
if not job[1] then return { done_state(id) or 'unknown', '' } end
if job[1] ~= 'dead' and job[1] ~= 'expired' then return { job[1], '' } end
local location, record, priority = job[2], job[3], tonumber(job[4]) or 0
local unconfirmed = job[6] == 'unconfirmed' and 1 or 0
local newer, before
if ARGV[2] ~= '1' then newer, before = superseded_by(location, record, id) end
if newer then return { 'superseded', newer, unconfirmed } end
if ARGV[3] == '1' then return { 'replayed', '', unconfirmed } end
redis.call('ZREM', key.dead, id)
redis.call('HSETNX', key.job(id), 'first_seq', job[5])
redis.call('HSET', key.job(id), 'state', 'pending', 'failures', 0, 'replayed_at', now, 'held_before', held_time(location))
redis.call('HDEL', key.job(id), 'reason', 'ended_at', 'not_before', 'expires_at')
count(location, job[1], 'pending')
if job[7] then move_counted().move_counted(job[8], job[1], 'pending') end
local at
if before then
  at = insert_before(location, record, before, id, priority)
else
  local seq = redis.call('HINCRBY', key.lane(location), 'seq', 1)
  redis.call('HSET', key.job(id), 'seq', seq)
  at = enqueue_job(location, record, id, seq, nil, priority)
end
if at then schedule(location, at) end
return { 'replayed', '', unconfirmed }
