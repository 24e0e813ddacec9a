-- @include history/pack
-- end_job(id, changes, retention, done): the job is done. One value replaces its keys, and can be read for `retention` ms,
-- as can the jobs merged into it. `changes` are fields that its end sets, or removes (false). `done` is what `read_done`
-- returned, for a job that was done already. `attempts` are the lines of its attempts, if they are not stored.
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

local function end_job(id, changes, retention, done, attempts)
  local fields, lines = done and done.fields or {}, attempts or done and done.lines or {}
  local stored = redis.call('HGETALL', key.job(id))
  for i = 1, #stored, 2 do fields[stored[i]] = stored[i + 1] end
  for _, line in ipairs(attempts and {} or redis.call('LRANGE', key.attempts(id), 0, -1)) do lines[#lines + 1] = line end
  for name, value in pairs(changes) do fields[name] = value or nil end
  retention = math.max(1, tonumber(retention or fields.retention) or DEFAULT_RETENTION)
  local value = pack_done(fields, lines)
  redis.call('DEL', key.job(id), key.body(id), key.original(id), key.attempts(id))
  redis.call('SET', key.done(id), value, 'PX', string.format('%.0f', retention))
  -- A broken index stops nothing: then the job is kept for its whole time.
  if not done then redis.pcall('RPUSH', key.done_ids, pack_id(id)) end
  local lane, kept_until = key.lane(fields.location), now + 1000 * retention
  if kept_until > (tonumber(redis.call('HGET', lane, 'kept_until')) or 0) then
    redis.call('HSET', lane, 'kept_until', string.format('%.0f', kept_until))
  end
  if fields.was_dead then remove_dead_letter(id, fields.location, fields.record) end
  if not (fields.merged_count or done) then return end
  for _, merged in ipairs(redis.call('SMEMBERS', key.merged_jobs(id))) do redis.call('PEXPIRE', key.done(merged), retention) end
  redis.call('PEXPIRE', key.merged_jobs(id), retention)
end
