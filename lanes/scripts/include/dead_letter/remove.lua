-- remove_dead_letter(id, location, record): the job is not kept for a person any more.
local function remove_dead_letter(id, location, record)
  redis.call('ZREM', key.dead, id)
  redis.call('HINCRBY', key.lane(location), 'dead_letters', -1)
  if redis.call('HINCRBY', key.dead_letter_counts(location), record, -1) == 0 then
    redis.call('HDEL', key.dead_letter_counts(location), record)
    redis.call('HDEL', key.newest_delivered(location), record)
  end
end
