-- forget_history: done jobs beyond their share of `maxmemory` are forgotten before their time, the oldest first.
-- Notifies of it once an hour. Removes the ids of done jobs whose time is over.
-- ARGV:
--   1 share       of `maxmemory` that done jobs may take, or '' for no limit
--   2 min_age     us since its end for which a job is not forgotten before its time
--   3 max_count   jobs in one call
-- Returns: { forgotten jobs, 1 if there are more to forget, else 0 }
-- @include now
-- @include queue/memory
-- @include queue/growth
-- @include queue/notify
-- @include history/forget
-- @include history/size
local max_count = tonumber(ARGV[3])

local jobs, bytes = history_size()
local _, max_memory = read_memory()
local excess = max_memory and ARGV[1] ~= '' and bytes - tonumber(ARGV[1]) * max_memory or 0
local needed = excess > 0 and math.ceil(excess * jobs / bytes) or 0
local forgotten = forget_oldest(math.min(needed, max_count), tonumber(ARGV[2]), max_count)

-- Enqueues forget jobs, too, in a full Redis.
local grown = growth(key.global_state, 'forgotten', tonumber(redis.pcall('HGET', key.totals, 'forgotten')) or 0)
if grown > 0 then notify('history_forgotten', { jobs = grown }) end
return { forgotten, forgotten > 0 and needed > forgotten and 1 or 0 }
