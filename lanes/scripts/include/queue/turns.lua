-- exceeds_fair_share(lane): whether it has more than its share of all requests in flight while another lane is due.
-- Else a slow location would occupy all sender threads.
local function exceeds_fair_share(lane)
  if lane.in_flight < FAIR_SHARE * lane.weight then return false end
  local due = redis.call('ZCOUNT', key.due, '-inf', now)
  return due > 1 and lane.in_flight * due > redis.call('ZCARD', key.leases) * lane.weight
end

-- yields_turn(lane, all_paused): whether it goes only if no other lane is due: a lane above its fair share; on the
-- brake of all lanes, a lane with its own brake, because the others are more likely to deliver a probe.
local function yields_turn(lane, all_paused)
  if all_paused then return all_paused == 'refusals' and lane.brake_at end
  return exceeds_fair_share(lane)
end
