-- trim_outcomes: removes outcomes that are too old, or too many for a service. Notifies once an hour of those that a
-- group had not read, and of those that gave way to new jobs.
-- ARGV:
--   1 max_age      us for which an outcome is kept
--   2 max_length   entries of a service
-- Returns: { removed entries, 1 if there may be more to remove, else 0 }
-- @include now
-- @include queue/growth
-- @include queue/isolate
-- @include queue/notify
-- @include outcomes/trim
local max_age, max_length = tonumber(ARGV[1]), tonumber(ARGV[2])
local removed, more = 0, 0

local function trim(service)
  local excess, before = redis.call('XLEN', key.outcomes(service)) - max_length, (now - max_age) / 1000
  local entries = trim_oldest(service, function(number, ms) return number <= excess or ms < before end)
  removed = removed + entries
  if entries == STEP then more = 1 end
  local unread = redis.call('HMGET', key.service(service), 'outcomes_unread', 'unread_by')
  local lost = growth(key.service(service), 'unread', tonumber(unread[1]) or 0)
  if lost > 0 then notify('outcomes_unread', { service = service, groups = unread[2] or '', outcomes = lost }) end
end

-- A broken stream stops no other: the consistency check reports it.
for _, service in ipairs(redis.call('SMEMBERS', key.services)) do isolate(nil, nil, trim, service) end
local total = tonumber(redis.pcall('HGET', key.totals, 'outcomes_forgotten')) or 0
local forgotten = growth(key.global_state, 'outcomes_forgotten', total)
if forgotten > 0 then notify('outcomes_forgotten', { outcomes = forgotten }) end
return { removed, more }
