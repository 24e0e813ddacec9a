-- @include history/store_done
-- end_job(id, changes, retention, done): the job is done. One value replaces its keys, and can be read for `retention`
-- ms, as can the jobs merged into it. `changes` are fields that its end sets, or removes (false). `done` is what
-- `read_done` returned, for a job that was done already.
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
