-- forget(id, retention): the job is done with; its body goes now, the rest after `retention` milliseconds.
local function forget(id, retention)
  redis.call('DEL', key.body(id))
  redis.call('PEXPIRE', key.job(id), retention)
  redis.call('PEXPIRE', key.attempts(id), retention)
end
