-- What is accepted must be delivered, and for that Redis needs memory: a worker's messages, the attempts of each job.
-- So a sixteenth of `maxmemory` is nothing for new jobs, nor is what those that wait will take (bytes a job, about).
local RESERVE = 1 / 16
local NEEDED = 512

-- memory_guard(): what to answer when there is no memory left for new jobs, or nil.
local function memory_guard()
  local info = redis.call('INFO', 'memory')
  local function bytes(name) return tonumber(string.match(info, '\n' .. name .. ':(%d+)')) or 0 end
  local max_count = bytes('maxmemory')
  if max_count == 0 then return nil end
  local waiting = redis.call('HMGET', key.counts, 'pending', 'in_flight')
  local needed = NEEDED * ((tonumber(waiting[1]) or 0) + (tonumber(waiting[2]) or 0))
  if bytes('used_memory') - bytes('mem_not_counted_for_evict') + needed <= max_count * (1 - RESERVE) then return nil end
  return redis.error_reply('OOM its memory is nearly used up: what is left is for the jobs that were accepted')
end
