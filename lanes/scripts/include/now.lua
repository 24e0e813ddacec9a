-- now: the time in microseconds, by the clock of Redis.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
