-- index_dead_letter(id, location, record): lists the job with the dead letters. Until it is done, its record is counted
-- as having one, and deliver notes the newest delivered job of that record.
local function index_dead_letter(id, location, record)
  redis.call('ZADD', key.dead, now, id)
  if redis.call('HSETNX', key.job(id), 'was_dead', 1) == 0 then return end
  redis.call('HINCRBY', key.lane(location), 'dead_letters', 1)
  redis.call('HINCRBY', key.dead_letter_counts(location), record, 1)
end
