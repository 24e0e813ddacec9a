-- notify(event, facts): a notice of what this call has made so, for the workers to log and to send. No more are kept than
-- MOST_NOTICES; the oldest go first.
local MOST_NOTICES = 10000

local function notify(event, facts)
  facts.event = event
  facts.id = string.format('%.0f-%d', now, redis.call('HINCRBY', key.gate, 'notices', 1))
  redis.call('ZADD', key.notices, now, cjson.encode(facts))
  redis.call('ZREMRANGEBYRANK', key.notices, 0, -MOST_NOTICES - 1)
end
