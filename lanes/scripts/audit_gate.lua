-- audit_gate: whether the gate of all lanes is as it should. While it is shut, and only then, a location without a name is due
-- before all others. Changes nothing.
-- Returns: what is wrong, or ''
local gate = redis.call('HMGET', key.gate, 'hold', 'room', 'outage_since', 'cause')
local shut, due = gate[1] or gate[2], redis.call('ZSCORE', key.due, '')
if shut and not due then return 'all lanes are held, or an outage is on, and they go on' end
if due and not shut then return 'it is shut, and nobody shut it' end
if not gate[2] ~= not gate[3] or gate[4] and not gate[3] then return 'an outage, or the brake of all, is on by half' end
return ''
