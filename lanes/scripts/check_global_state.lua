-- check_global_state: checks what stops all lanes. Only then the first member of `due` is ''. Read-only.
-- Returns: what is wrong, or ''
-- @include read_only
local global_state = redis.call('HMGET', key.global_state, 'hold', 'half_open_limit', 'outage_since', 'cause')
local all_paused, due = global_state[1] or global_state[2], redis.call('ZSCORE', key.due, '')
if all_paused and not due then return answer('all lanes are stopped, but releases go on') end
if due and not all_paused then return answer('nothing stops all lanes, but none is released') end
if not global_state[2] ~= not global_state[3] or global_state[4] and not global_state[3] then
  return answer('the outage, or the brake of all lanes, is incomplete')
end
return answer('')
