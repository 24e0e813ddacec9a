-- restore: imports an exported dead letter. A purged one returns with the body of the export; an unknown one is
-- accepted as new. Idempotent.
-- Moves: nothing | cancelled -> dead | expired
-- ARGV:
--   1 id
--   2 location
--   3 record
--   4 body         JSON
--   5 original     the body before it was edited, or ''
--   6 reason       refused | exhausted | unconfirmed | unauthorized | expired
--   7 accepted_at  time in us
--   8 ended_at     time in us
--   9 event_time   time in us, or ''
--   10 service     or ''
--   11 priority    0 to 9
--   12 attempt     number of its newest attempt, 0 for none
--   13 version     of the API that the body is for, or '' for the default
--   14 ends        how often its service was told that it ended
--   15.. attempts  one line each, as they are stored
-- Returns: 'restored', or the state of the job that exists already
-- @include now
-- @include queue/count
-- @include dead_letter/index_dead_letter
-- @include queue/schema
-- @include history/read_done
-- @lazy quota/move_counted
-- has_quota(service): whether it has a quota, so that its jobs are counted. An import is not refused.
local function has_quota(service)
  local quotas = redis.pcall('HMGET', key.service(service), 'max_pending', 'max_dead', 'rate')
  return (quotas[1] or quotas[2] or quotas[3]) and true or false
end

local id, location, record = ARGV[1], ARGV[2], ARGV[3]
local known = redis.call('HGET', key.job(id), 'state')
if known then return known end
local done = read_done(id)
local fields = done and done.fields or {}
local purged = fields.state == 'cancelled' and fields.reason == 'purged' and fields.location == location
  and fields.record == record
if done and not purged then return fields.state end
-- A clock that is ahead must not hide a dead letter from readers of all that failed until now.
local accepted_at, ended_at = math.min(now, tonumber(ARGV[7])), math.min(now, tonumber(ARGV[8]))
local state = 'dead'
if ARGV[6] == 'expired' then state = 'expired' end
redis.call('SET', key.body(id), ARGV[4])
if ARGV[5] ~= '' then redis.call('SET', key.original(id), ARGV[5]) end
if purged then
  redis.call('DEL', key.done(id))
  for name, value in pairs(fields) do redis.call('HSET', key.job(id), name, value) end
  for _, line in ipairs(done.lines) do redis.call('RPUSH', key.attempts(id), line) end
  local merged_jobs = redis.call('SMEMBERS', key.merged_jobs(id))
  for _, merged in ipairs(merged_jobs) do redis.call('PERSIST', key.done(merged)) end
  redis.call('PERSIST', key.merged_jobs(id))
  if #merged_jobs > 0 then redis.call('HSET', key.job(id), 'merged_count', #merged_jobs) end
else
  local seq = redis.call('HINCRBY', key.lane(location), 'seq', 1)
  if seq == 1 then
    seq = first_seq() + 1
    redis.call('HSET', key.lane(location), 'seq', string.format('%.0f', seq))
    add_locations({ location })
  end
  redis.call('HSET', key.job(id), 'location', location, 'record', record, 'seq', seq, 'accepted_at', accepted_at, 'failures', 0)
  if ARGV[9] ~= '' then redis.call('HSET', key.job(id), 'event_time', ARGV[9]) end
  if ARGV[10] ~= '' then
    redis.call('HSET', key.job(id), 'service', ARGV[10])
    fields.service, fields.counted = ARGV[10], has_quota(ARGV[10])
    if fields.counted then redis.call('HSET', key.job(id), 'counted', 1) end
  end
  if ARGV[11] ~= '0' then redis.call('HSET', key.job(id), 'priority', ARGV[11]) end
  if ARGV[13] ~= '' then redis.call('HSET', key.job(id), 'version', ARGV[13]) end
  if ARGV[12] ~= '0' then redis.call('HSET', key.job(id), 'attempt', ARGV[12]) end
  if ARGV[14] ~= '0' then redis.call('HSET', key.job(id), 'ends', ARGV[14]) end
  for at = 15, #ARGV do redis.call('RPUSH', key.attempts(id), ARGV[at]) end
  count(location, nil, 'accepted')
end
redis.call('HSET', key.job(id), 'state', state, 'reason', ARGV[6], 'ended_at', ended_at)
index_dead_letter(id, location, record)
redis.call('ZADD', key.dead, ended_at, id)
count(location, fields.state, state)
if fields.counted then move_counted().move_counted(fields.service, nil, state) end
return 'restored'
