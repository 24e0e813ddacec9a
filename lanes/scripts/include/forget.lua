-- forget(id, retention, carries): the job is done with; its body goes now, the rest after `retention` milliseconds, and with
-- it the jobs that were merged into it, if it carries any.
local function forget(id, retention, carries)
  redis.call('DEL', key.body(id))
  redis.call('PEXPIRE', key.job(id), retention)
  redis.call('PEXPIRE', key.attempts(id), retention)
  if not carries then return end
  for _, carried in ipairs(redis.call('SMEMBERS', key.carried(id))) do redis.call('PEXPIRE', key.job(carried), retention) end
  redis.call('PEXPIRE', key.carried(id), retention)
end
