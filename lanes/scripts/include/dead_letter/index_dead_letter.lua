-- index_dead_letter(id, location, record): the job is a dead letter, or expired. From its first death until it is done with, its record
-- is known to have such a job, and deliver notes what is newest of it.
local function index_dead_letter(id, location, record)
  redis.call('ZADD', key.dead, now, id)
  if redis.call('HSETNX', key.job(id), 'was_dead', 1) == 0 then return end
  redis.call('HINCRBY', key.lane(location), 'dead_letters', 1)
  redis.call('HINCRBY', key.dead_letter_counts(location), record, 1)
end
