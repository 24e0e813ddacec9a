-- sync_day(lane, job, seen, resets_in): the answer says that the server had counted `seen` requests of the day, up to
-- and including this one, and perhaps in how many us its day resets. Returns whether the answer is about the current
-- day. Use by others is the server's count minus all of ours released until this report: a lower bound, so it is never
-- reduced. The day has at most the highest count reported (`day_seen`), plus requests in flight, plus those that ended
-- without a report (`lost`) since before the newest answer was sent (`lost_counted`): what ended earlier is in its
-- count, or never arrived. An answer is newer if its request was sent after the report of the highest count
-- (`day_seen_at`). If a newer one counts less, the server's day was reset. A request in flight at the reset
-- (`day_from`) may count in either day: it is ignored, unless it reports a newer reset. The API's day may begin with
-- its first request, so that `begin_day` only assumes when the next one ends, until an answer tells.
local SAME_DAY = 60 * 1000000

-- day_of(lane, number, resets_at): returns which day the answer is about: 'old', 'new', or 'same' by default.
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
  local assumed = lane.day_seen_at == 0 -- no answer has told when this day ends
  local counted, base = math.min(math.max(lane.lost_counted, job.lost), lane.lost), lane.day_base
  if day == 'new' or newer or seen > (lane.day_seen or -1) then
    set(lane, 'day_seen', seen)
    set(lane, 'day_seen_at', lane.released)
  end
  if day == 'new' then
    set(lane, 'day_from', lane.released)
    if resets_at then set(lane, 'day_resets_at', resets_at) end
  elseif resets_at and (assumed or resets_at < (lane.day_resets_at or math.huge)) then
    set(lane, 'day_resets_at', resets_at)
  end
  if counted ~= lane.lost_counted then set(lane, 'lost_counted', counted) end
  local max_count = lane.day_seen + lane.outstanding + lane.lost - counted
  base = math.min(math.max(base, lane.charged - max_count), lane.charged - seen)
  if base ~= lane.day_base then set(lane, 'day_base', base) end
  return true
end
