-- notify(event, facts): adds a notification for the workers to log and send. Keeps the newest MAX_NOTIFICATIONS.
local MAX_NOTIFICATIONS = 10000

local function notify(event, facts)
  facts.event = event
  facts.id = string.format('%.0f-%d', now, redis.call('HINCRBY', key.global_state, 'notifications', 1))
  redis.call('ZADD', key.notifications, now, cjson.encode(facts))
  redis.call('ZREMRANGEBYRANK', key.notifications, 0, -MAX_NOTIFICATIONS - 1)
end
