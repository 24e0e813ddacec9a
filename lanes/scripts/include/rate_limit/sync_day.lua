-- sync_day(lane, job, seen, resets_in): an answer says that the server had counted `seen` requests of the day when it counted this
-- one, and, where it says so, in how many us its day begins anew. Returns whether the answer tells of the day as it is now.
-- Others' use is what the server counted less all of ours that were released until this report: a lower bound, so nothing has to be
-- taken back. And the day holds no more than the highest count that was told (`day_seen`), what is out, and what ended without
-- telling (`lost`) since before the newest answer was sent (`lost_counted`): what had ended before is in its count, or never came.
-- An answer whose request was sent after the report of the highest count (`day_seen_at`) is newer; when it tells less, the server's
-- day began anew. One whose request was out when the day began (`day_from`) may tell of either day: it says nothing, unless it says
-- that it is of a newer day.
local SAME_DAY = 60 * 1000000

-- day_of(lane, number, resets_at): 'old', 'new', 'same'; the latter for an answer that says nothing else.
local function day_of(lane, number, resets_at)
  local after = resets_at and lane.day_resets_at and resets_at - lane.day_resets_at or 0
  local since = number > lane.day_from
  if after >= SAME_DAY or since and after <= -SAME_DAY then return 'new' end
  return since and after > -SAME_DAY and 'same' or 'old'
end

local function sync_day(lane, job, seen, resets_in)
  local resets_at = resets_in and now + resets_in
  local day = day_of(lane, job.number, resets_at)
  if day == 'old' then return false end
  local newer = job.number > lane.day_seen_at
  if newer and seen < (lane.day_seen or 0) then day = 'new' end
  local counted, base = math.min(math.max(lane.lost_counted, job.lost), lane.lost), lane.day_base
  local changes = {}
  if day == 'new' or newer or seen > (lane.day_seen or -1) then
    lane.day_seen, lane.day_seen_at = seen, lane.released
    changes = { 'day_seen', seen, 'day_seen_at', lane.released }
  end
  local function change(name, value)
    if not value or value == lane[name] then return end
    lane[name] = value
    changes[#changes + 1], changes[#changes + 2] = name, value
  end
  if day == 'new' then
    change('day_from', lane.released)
    change('day_resets_at', resets_at)
  elseif resets_at then
    change('day_resets_at', math.min(resets_at, lane.day_resets_at or math.huge))
  end
  change('lost_counted', counted)
  local max_count = lane.day_seen + lane.outstanding + lane.lost - counted
  change('day_base', math.min(math.max(base, lane.charged - max_count), lane.charged - seen))
  if changes[1] then redis.call('HSET', key.lane(lane.location), unpack(changes)) end
  return true
end
