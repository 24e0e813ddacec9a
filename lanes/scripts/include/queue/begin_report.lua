-- @include queue/lane
-- @include rate_limit/sync_rate_limits
-- @lazy rate_limit/day
-- @lazy history/read_done
-- begin_report(id, attempt, rate_limit_info, throttled, unsent): ends a request: its rate slot is free one window from
-- now, the rate limits follow the answer, and a request that was never sent is refunded. Returns nil for an unknown
-- job, else its fields and
--   since    when it was accepted or replayed, or its not_before if later
--   number   of the request among those of its location
--   current  the job is in flight with this attempt
--   lane     fields of the lane; the caller writes it
--   probe    it was a probe of an outage
--   replayed a person replayed the job
--   fields   of its hash, as text
--   done     what `read_done` returned, for a job that is done
--   leased   this attempt occupied the record until now, although a stale success may have delivered the job
local function begin_report(id, attempt, rate_limit_info, throttled, unsent)
  local fields, stored, done = {}, redis.call('HGETALL', key.job(id)), nil
  for i = 1, #stored, 2 do fields[stored[i]] = stored[i + 1] end
  if not fields.state then
    done = read_done().read_done(id)
    if not done then return nil end
    fields = done.fields
  end
  local state, location, newest = fields.state, fields.location, fields.attempt == attempt
  if (location or '') == '' then error(key.job(id) .. ': its location cannot be read', 0) end
  -- A full Redis allows ZREM, and then all later writes: what was sent can always be reported.
  local leased = redis.call('ZREM', key.leases, newest and id or '') == 1
  local lane = read_lane(location)
  local found = { id = id, attempt = attempt, state = state, location = location, record = fields.record, lane = lane,
                  released_at = fields.released_at or '0', seq = tonumber(fields.seq), priority = tonumber(fields.priority),
                  number = newest and tonumber(fields.number), leased = leased, lost = tonumber(fields.lost) or 0,
                  worker = fields.worker, fields = fields, done = done, current = leased and state == 'in_flight',
                  probe = done or fields.probe == attempt, replayed = fields.replayed_at,
                  since = math.max(tonumber(fields.accepted_at), tonumber(fields.not_before) or 0,
                    tonumber(fields.replayed_at) or 0) }
  if leased then
    lane.outstanding = lane.outstanding - 1
    if state ~= 'in_flight' then set(lane, 'redundant', lane.redundant - 1) end
  end
  if not sync_rate_limits(found, lane, rate_limit_info, throttled) and leased then
    if unsent then
      day().refund_day(lane, tonumber(found.released_at))
    else
      set(lane, 'lost', lane.lost + 1)
    end
  end
  redis.call('ZADD', key.rate_slots(location), now + lane.window, id .. ':' .. attempt)
  return found
end
