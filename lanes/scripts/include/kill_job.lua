-- @include count
-- @include mourn
-- @include notice
-- kill_job(id, location, record, from, reason): the job is not sent again; body and attempts stay until a person decides. Whoever
-- wants to know is told when there are more dead letters than he said.
local function kill_job(id, location, record, from, reason)
  local state = reason == 'expired' and 'expired' or 'dead'
  redis.call('HSET', key.job(id), 'state', state, 'ended_at', now, 'reason', reason)
  mourn(id, location, record)
  count(location, from, state)
  redis.call('HINCRBY', key.totals, 'dead:' .. reason, 1)
  local most = state == 'dead' and tonumber(redis.call('HGET', key.gate, 'dead_above'))
  if most and tonumber(redis.call('HGET', key.counts, 'dead')) == most + 1 then
    notify('dead_letters_above', { most = most })
  end
end
