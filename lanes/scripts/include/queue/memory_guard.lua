-- Accepted jobs need memory until they are delivered (messages of workers, attempts). So new jobs may not use the last
-- sixteenth of `maxmemory`, nor about 512 bytes for each waiting job.
local RESERVE = 1 / 16
local NEEDED = 512
-- With this much to spare, the memory is not looked at again for some ms: Redis cannot take in as much within that time.
local AMPLE, KEPT = 64 * 1024 * 1024, 100

-- memory_guard(): returns an error reply when there is no memory for new jobs, else nil; nil, too, without INFO
-- (renamed, or not permitted): then Redis itself refuses, at `maxmemory`.
local function memory_guard()
  if redis.call('EXISTS', key.memory_checked) == 1 then return nil end
  local info = redis.pcall('INFO', 'memory')
  if type(info) == 'table' and info.err then return nil end
  local function bytes(name) return tonumber(string.match(info, '\n' .. name .. ':(%d+)')) or 0 end
  local max_count, left = bytes('maxmemory'), AMPLE
  if max_count > 0 then
    local waiting = redis.call('HMGET', key.counts, 'pending', 'in_flight')
    local needed = NEEDED * ((tonumber(waiting[1]) or 0) + (tonumber(waiting[2]) or 0))
    left = max_count * (1 - RESERVE) - (bytes('used_memory') - bytes('mem_not_counted_for_evict') + needed)
  end
  if left < 0 then return redis.error_reply('OOM memory is nearly used up: the rest is reserved for accepted jobs') end
  if left >= AMPLE then redis.call('SET', key.memory_checked, '', 'PX', KEPT) end
  return nil
end
