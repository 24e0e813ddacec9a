-- expire_keys(id, retention, job): the job is done. Deletes its body; the rest, and the jobs merged into it, expire
-- after `retention` ms. `job` needs location, record, merged_count (if any) and was_dead (if it was a dead letter).
local function expire_keys(id, retention, job)
  redis.call('DEL', key.body(id), key.original(id))
  redis.call('PEXPIRE', key.job(id), retention)
  redis.call('PEXPIRE', key.attempts(id), retention)
  local kept_until = now + retention * 1000
  if kept_until > (tonumber(redis.call('HGET', key.lane(job.location), 'kept_until')) or 0) then
    redis.call('HSET', key.lane(job.location), 'kept_until', kept_until)
  end
  if job.was_dead then
    redis.call('ZREM', key.dead, id)
    redis.call('HDEL', key.job(id), 'was_dead')
    redis.call('HINCRBY', key.lane(job.location), 'dead_letters', -1)
    if redis.call('HINCRBY', key.dead_letter_counts(job.location), job.record, -1) == 0 then
      redis.call('HDEL', key.dead_letter_counts(job.location), job.record)
      redis.call('HDEL', key.newest_delivered(job.location), job.record)
    end
  end
  if not job.merged_count then return end
  for _, merged in ipairs(redis.call('SMEMBERS', key.merged_jobs(id))) do redis.call('PEXPIRE', key.job(merged), retention) end
  redis.call('PEXPIRE', key.merged_jobs(id), retention)
end
