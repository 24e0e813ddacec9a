-- forget(id, retention, job): the job is done with; its body goes now, the rest after `retention` milliseconds, and with it the
-- jobs that were merged into it. Of the job it needs location, record, carries (if it carries any), died (if it ever did).
local function forget(id, retention, job)
  redis.call('DEL', key.body(id), key.original(id))
  redis.call('PEXPIRE', key.job(id), retention)
  redis.call('PEXPIRE', key.attempts(id), retention)
  if job.died then
    redis.call('ZREM', key.dead, id)
    redis.call('HDEL', key.job(id), 'died')
    redis.call('HINCRBY', key.lane(job.location), 'letters', -1)
    if redis.call('HINCRBY', key.letters(job.location), job.record, -1) == 0 then
      redis.call('HDEL', key.letters(job.location), job.record)
      redis.call('HDEL', key.newest(job.location), job.record)
    end
  end
  if not job.carries then return end
  for _, carried in ipairs(redis.call('SMEMBERS', key.carried(id))) do redis.call('PEXPIRE', key.job(carried), retention) end
  redis.call('PEXPIRE', key.carried(id), retention)
end
