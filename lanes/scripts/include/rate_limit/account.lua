-- read_account(location): returns released, api_number, day_seen_at, day_from, lost, lost_counted, unsent, day_base.
local function read_account(location)
  local numbers = redis.call('HMGET', key.lane(location), 'released', 'api_number', 'day_seen_at', 'day_from', 'lost', 'lost_counted',
    'unsent', 'day_base')
  for i = 1, 8 do numbers[i] = tonumber(numbers[i]) or 0 end
  return numbers
end

local function sum_dead_letters(location)
  local total = 0
  for _, some in ipairs(redis.call('HVALS', key.dead_letter_counts(location))) do total = total + (tonumber(some) or 0) end
  return total
end
