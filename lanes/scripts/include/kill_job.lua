-- @include count
-- @include notice
-- kill_job(id, location, from, reason): the job becomes a dead letter; body and attempts stay until a person decides. Whoever
-- wants to know is told when there are more dead letters than he said.
local function kill_job(id, location, from, reason)
  redis.call('HSET', key.job(id), 'state', 'dead', 'ended_at', now, 'reason', reason)
  redis.call('ZADD', key.dead, now, id)
  count(location, from, 'dead')
  local most = tonumber(redis.call('HGET', key.gate, 'dead_above'))
  if most and tonumber(redis.call('HGET', key.counts, 'dead')) == most + 1 then
    notify('dead_letters_above', { most = most })
  end
end
