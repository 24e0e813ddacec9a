-- @include queue/lane
-- @include rate_limit/periods
-- A release takes a rate slot (budget.lua) and one request of the daily quota (day.lua). This is what is done for each
-- request while nothing is unusual. `rate_slots` also has slots that are free again, at most about TRIM of them for
-- long.
local TRIM = 16
-- @lazy rate_limit/budget
-- @lazy rate_limit/day

-- limited_until(lane): nil when a request may be sent now, else when to ask again.
local function limited_until(lane)
  if lane.shared_until > now or redis.call('ZCARD', key.rate_slots(lane.location)) >= lane.burst then
    local burst_until = budget().burst_until(lane)
    if burst_until then return burst_until end
  end
  local same_day = lane.day_quarter == math.floor(now / QUARTER)
  if lane.day_resets_at then same_day = lane.day_resets_at > now end
  local left = lane.daily - (lane.charged - lane.day_base)
  if same_day and left > (lane.day_seen and lane.outstanding or 0) then return nil end
  return day().day_until(lane)
end

-- charge(lane, attempt, slot_until): takes a rate slot and one request of the day. Returns the number of the request
-- among those of the location. The caller writes the lane.
local function charge(lane, attempt, slot_until)
  local number, rate_slots = lane.released + 1, key.rate_slots(lane.location)
  set(lane, 'released', number)
  redis.call('ZADD', rate_slots, slot_until, attempt)
  if number % TRIM == 0 then budget().trim(rate_slots) end
  if lane.shared_until > now then budget().note_sent(lane, number) end
  return number
end
