-- @include queue/count
-- @include dead_letter/index_dead_letter
-- @include queue/notify
-- @lazy outcomes/outcome
-- @lazy quota/move_counted
-- bury_job(id, location, record, from, reason): makes the job a dead letter, or an expired job. Body and attempts stay
-- until a person decides. Notifies when the number of dead letters exceeds `dead_above`.
local function bury_job(id, location, record, from, reason)
  local state = reason == 'expired' and 'expired' or 'dead'
  redis.call('HSET', key.job(id), 'state', state, 'ended_at', now, 'reason', reason)
  index_dead_letter(id, location, record)
  count(location, from, state)
  local stored = redis.call('HMGET', key.job(id), 'counted', 'service', 'merged_count')
  if stored[1] then move_counted().move_counted(stored[2], from, state) end
  if stored[2] or stored[3] then outcome().write_ended(id, state, reason) end
  redis.pcall('HINCRBY', key.totals, 'dead:' .. reason, 1)
  local max_count = state == 'dead' and tonumber(redis.call('HGET', key.global_state, 'dead_above'))
  if max_count and tonumber(redis.pcall('HGET', key.counts, 'dead')) == max_count + 1 then
    notify('dead_letters_above', { threshold = max_count })
  end
end
