-- @include history/pack
-- @lazy dead_letter/remove
local DEFAULT_RETENTION = 86400000

-- store_done(id, fields, lines, retention, was_done, detail): as `end_job`, with all fields and lines of attempts; with
-- `detail`, as `pack_done`. Returns until when the job can be read; the caller notes that in its lane.
local function store_done(id, fields, lines, retention, was_done, detail)
  retention = math.max(1, tonumber(retention or fields.retention) or DEFAULT_RETENTION)
  local value = pack_done(fields, lines, detail)
  redis.call('DEL', key.job(id), key.body(id), key.original(id), key.attempts(id))
  redis.call('SET', key.done(id), value, 'PX', retention)
  -- A broken index stops nothing: then the job is kept for its whole time.
  if not was_done then redis.pcall('RPUSH', key.done_ids, pack_id(id)) end
  if fields.was_dead then remove().remove_dead_letter(id, fields.location, fields.record) end
  if fields.merged_count or was_done then
    for _, merged in ipairs(redis.call('SMEMBERS', key.merged_jobs(id))) do redis.call('PEXPIRE', key.done(merged), retention) end
    redis.call('PEXPIRE', key.merged_jobs(id), retention)
  end
  return now + 1000 * retention
end
