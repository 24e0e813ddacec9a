-- read_history: how many done jobs can be read, what they take, and how far back they go. Read-only.
-- Returns: { jobs, bytes (estimated), end of the oldest or 0, jobs forgotten before their time }
-- @include read_only
-- @include history/size
-- @include history/read_done
local SCANNED = 100
local jobs, bytes = history_size()
local oldest = 0
for _, id in ipairs(redis.call('LRANGE', key.done_ids, 0, SCANNED - 1)) do
  local readable, done = pcall(read_done, unpack_id(id))
  oldest = readable and done and tonumber(done.fields.ended_at) or 0
  if oldest > 0 then break end
end
return answer({ jobs, bytes, oldest, tonumber(redis.call('HGET', key.totals, 'forgotten')) or 0 })
