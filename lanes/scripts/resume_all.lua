-- resume_all: the hold of everything is over. Lanes that are held on their own stay so, and an outage goes on.
-- Returns: 'resumed' | 'free', the latter when not everything was held
-- @include now
-- @include gate
if redis.call('HDEL', key.gate, 'hold', 'held_by', 'held_at') == 0 then return 'free' end
set_gate()
return 'resumed'
