-- @include history/unpack_uuid
-- history_size(): returns the number of done jobs, without merged ones, and the bytes that they all take, estimated
-- from some.
local SAMPLES = 16
local OVERHEAD = 160  -- bytes of a done job besides its value: its key, its expiry, its place in `done_ids`
local MERGED = 400    -- bytes of a merged job

local function history_size()
  local jobs = tonumber(redis.call('LLEN', key.done_ids)) or 0
  local samples, bytes = math.min(SAMPLES, jobs), 0
  for sample = 0, samples - 1 do
    local id = unpack_id(redis.call('LINDEX', key.done_ids, math.floor(sample * jobs / samples)))
    local size = tonumber(redis.call('STRLEN', key.done(id))) or 0
    if size > 0 then bytes = bytes + size + OVERHEAD + MERGED * (tonumber(redis.call('SCARD', key.merged_jobs(id))) or 0) end
  end
  return jobs, samples > 0 and math.floor(bytes / samples * jobs) or 0
end
