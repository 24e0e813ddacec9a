-- @include history/pack
-- end_job(id, changes, retention, done): the job is done. One value replaces its keys, and can be read for `retention` ms,
-- as can the jobs merged into it. `changes` are fields that its end sets, or removes (false). `done` is what `read_done`
-- returned, for a job that was done already.
local DEFAULT_RETENTION = 86400000

-- remove_dead_letter(id, location, record): the job is not kept for a person any more.
local function remove_dead_letter(id, location, record)
  redis.call('ZREM', key.dead, id)
  redis.call('HINCRBY', key.lane(location), 'dead_letters', -1)
  if redis.call('HINCRBY', key.dead_letter_counts(location), record, -1) == 0 then
    redis.call('HDEL', key.dead_letter_counts(location), record)
    redis.call('HDEL', key.newest_delivered(location), record)
  end
end

-- store_done(id, fields, lines, retention, was_done): as `end_job`, with all fields and lines of attempts. Returns until when
-- the job can be read; the caller notes that in its lane.
local function store_done(id, fields, lines, retention, was_done)
  retention = math.max(1, tonumber(retention or fields.retention) or DEFAULT_RETENTION)
  local value = pack_done(fields, lines)
  redis.call('DEL', key.job(id), key.body(id), key.original(id), key.attempts(id))
  redis.call('SET', key.done(id), value, 'PX', string.format('%.0f', retention))
  -- A broken index stops nothing: then the job is kept for its whole time.
  if not was_done then redis.pcall('RPUSH', key.done_ids, pack_id(id)) end
  if fields.was_dead then remove_dead_letter(id, fields.location, fields.record) end
  if fields.merged_count or was_done then
    for _, merged in ipairs(redis.call('SMEMBERS', key.merged_jobs(id))) do redis.call('PEXPIRE', key.done(merged), retention) end
    redis.call('PEXPIRE', key.merged_jobs(id), retention)
  end
  return now + 1000 * retention
end

local function end_job(id, changes, retention, done)
  local fields, lines = done and done.fields or {}, done and done.lines or {}
  local stored = redis.call('HGETALL', key.job(id))
  for i = 1, #stored, 2 do fields[stored[i]] = stored[i + 1] end
  for _, line in ipairs(redis.call('LRANGE', key.attempts(id), 0, -1)) do lines[#lines + 1] = line end
  for name, value in pairs(changes) do fields[name] = value or nil end
  local lane, kept_until = key.lane(fields.location), store_done(id, fields, lines, retention, done)
  if kept_until > (tonumber(redis.call('HGET', lane, 'kept_until')) or 0) then
    redis.call('HSET', lane, 'kept_until', string.format('%.0f', kept_until))
  end
end
