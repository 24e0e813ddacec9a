-- @include queue/memory
-- @include history/forget
-- @lazy outcomes/drop
-- Accepted jobs need memory until they are delivered (messages of workers, attempts). So new jobs may not use the last
-- sixteenth of `maxmemory`, nor about 512 bytes for each waiting job.
local RESERVE = 1 / 16
local NEEDED = 512
-- Bytes that a done job frees at least, and the most done jobs that one call forgets.
local DONE, MAX_FORGOTTEN = 128, 2000
local OUTCOME = 128  -- bytes that an outcome frees at least
-- With this much to spare, `memory_checked` says so for some ms: Redis cannot take in as much within that time.
local AMPLE, KEPT = 64 * 1024 * 1024, 100

-- memory_guard(min_age): returns an error reply when there is no memory for new jobs, else nil. Before it refuses, done
-- jobs give way, unless they ended in the last `min_age` us, and then outcomes. Without INFO it returns nil: then Redis
-- itself refuses, at `maxmemory`. Memory in use does not fall by all that was forgotten before the script ends: its
-- deletions wait as commands for the append-only file.
local function memory_guard(min_age)
  local function left()
    local used, max_count = read_memory()
    if not used then return AMPLE end
    local waiting = redis.call('HMGET', key.counts, 'pending', 'in_flight')
    local needed = NEEDED * ((tonumber(waiting[1]) or 0) + (tonumber(waiting[2]) or 0))
    return max_count * (1 - RESERVE) - used - needed
  end
  local bytes = left()
  if bytes >= AMPLE then redis.call('SET', key.memory_checked, '', 'PX', KEPT) end
  if bytes >= 0 then return nil end
  local forgotten = forget_oldest(math.min(MAX_FORGOTTEN, math.ceil(-bytes / DONE)), min_age, 2 * MAX_FORGOTTEN)
  if forgotten * DONE >= -bytes or forgotten > 0 and left() >= 0 then return nil end
  local missing = -bytes - forgotten * DONE
  local dropped = drop().drop_outcomes(math.ceil(missing / OUTCOME))
  if dropped * OUTCOME >= missing or dropped > 0 and left() >= 0 then return nil end
  return redis.error_reply('OOM memory is nearly used up: the rest is reserved for accepted jobs')
end
