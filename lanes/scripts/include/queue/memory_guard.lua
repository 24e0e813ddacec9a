-- Accepted jobs need memory until they are delivered (messages of workers, attempts). So new jobs may not use the last
-- sixteenth of `maxmemory`, nor about 512 bytes for each waiting job.
local RESERVE = 1 / 16
local NEEDED = 512

-- memory_guard(): returns an error reply when there is no memory for new jobs, else nil; nil, too, without INFO
-- (renamed, or not permitted): then Redis itself refuses, at `maxmemory`.
local function memory_guard()
  local info = redis.pcall('INFO', 'memory')
  if type(info) == 'table' and info.err then return nil end
  local function bytes(name) return tonumber(string.match(info, '\n' .. name .. ':(%d+)')) or 0 end
  local max_count = bytes('maxmemory')
  if max_count == 0 then return nil end
  local waiting = redis.call('HMGET', key.counts, 'pending', 'in_flight')
  local needed = NEEDED * ((tonumber(waiting[1]) or 0) + (tonumber(waiting[2]) or 0))
  if bytes('used_memory') - bytes('mem_not_counted_for_evict') + needed <= max_count * (1 - RESERVE) then return nil end
  return redis.error_reply('OOM memory is nearly used up: the rest is reserved for accepted jobs')
end
