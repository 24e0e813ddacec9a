-- @include history/read_done
-- @include history/forget_event
-- forget_oldest(needed, min_age, max_count): forgets up to `needed` done jobs before their time, the oldest first, but
-- none that ended, or was merged into a done one, in the last `min_age` us. Looks at up to `max_count` ids, and removes
-- those of jobs that are gone. Returns the number of forgotten jobs. What makes a repeat harmless stays: idempotency
-- keys, the newest delivered job of a record, event times.
local MAX_YOUNG = 16  -- ids of jobs that are too young, in a row: then all others are, too

-- retract_events(id, fields): the job was cancelled, and nothing will tell so any more: its fields do not count as the
-- latest.
local function retract_events(id, fields)
  local event_times = key.event_times(fields.location, fields.record)
  forget_event(fields.location, fields.record, fields.event_time)
  for name, time in string.gmatch(fields.field_times or '', '(%S+)=(%d+)') do
    if redis.call('HGET', event_times, name) == time then redis.call('HDEL', event_times, name) end
  end
  if redis.call('HGET', event_times, '@job') == id then redis.call('HDEL', event_times, '@job', '@time', '@pipeline') end
end

-- forget(id, fields, at, since): forgets a done job and those merged into it, unless `at`, or the acceptance of one
-- that was merged, is later than `since`, or a worker may still have to write their outcomes. Returns how many it
-- forgot, or false.
local function forget(id, fields, at, since)
  if (tonumber(at) or 0) > since then return false end
  local merged_jobs = redis.call('SMEMBERS', key.merged_jobs(id))
  if merged_jobs[1] and type(redis.pcall('LINDEX', key.outcome_backlog, 0)) == 'string' then return false end
  for _, merged in ipairs(merged_jobs) do
    local done = read_done(merged)
    if done and (tonumber(done.fields.accepted_at) or 0) > since then return false end
  end
  for _, merged in ipairs(merged_jobs) do redis.call('DEL', key.done(merged)) end
  redis.call('DEL', key.done(id), key.merged_jobs(id))
  if fields.state == 'cancelled' and fields.event_time then retract_events(id, fields) end
  return 1 + #merged_jobs
end

local function forget_oldest(needed, min_age, max_count)
  local ids = redis.pcall('LRANGE', key.done_ids, 0, max_count - 1)
  local forgotten, passed, kept, young = 0, 0, 0, {}
  for at, bytes in ipairs(ids.err and {} or ids) do
    local id = unpack_id(bytes)
    local readable, done = pcall(read_done, id)
    local there = readable and done
    if there and forgotten >= needed or #young - kept >= MAX_YOUNG then break end
    if there and not forget(id, done.fields, done.fields.ended_at, now - min_age) then
      young[#young + 1] = bytes
    else
      passed, kept = at, #young
      if there then forgotten = forgotten + 1 end
    end
  end
  if passed > 0 then redis.call('LTRIM', key.done_ids, passed, -1) end
  for i = 1, kept do redis.call('RPUSH', key.done_ids, young[i]) end  -- a job that ended a second time
  if forgotten > 0 then redis.pcall('HINCRBY', key.totals, 'forgotten', forgotten) end
  return forgotten
end
