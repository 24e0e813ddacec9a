-- notify(event, facts): a notice of what this call has made so, for the workers to log and to send. No more are kept than
-- MAX_NOTIFICATIONS; the oldest go first.
local MAX_NOTIFICATIONS = 10000

local function notify(event, facts)
  facts.event = event
  facts.id = string.format('%.0f-%d', now, redis.call('HINCRBY', key.global_state, 'notifications', 1))
  redis.call('ZADD', key.notifications, now, cjson.encode(facts))
  redis.call('ZREMRANGEBYRANK', key.notifications, 0, -MAX_NOTIFICATIONS - 1)
end
