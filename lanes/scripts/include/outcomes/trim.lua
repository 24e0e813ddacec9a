-- trim_oldest(service, is_over): removes the oldest entries of a stream, up to STEP, while `is_over(number, ms)` of
-- each: its number from the oldest, and the time of its writing. Returns the numbers of removed entries and outcomes.
-- What a group had not read or acknowledged is counted in the service's hash.
local STEP = 200

-- is_after(id, other): whether the entry `id` is younger.
local function is_after(id, other)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  local other_ms, other_seq = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= other_ms then return tonumber(ms) > tonumber(other_ms) end
  return tonumber(seq) > tonumber(other_seq)
end

-- count_jobs(entry): returns the number of outcomes of an entry; what is no entry of ours has one.
local function count_jobs(entry)
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == 'jobs' then return math.ceil(select(2, string.gsub(fields[at + 1], '%S+', '')) / 2) end
  end
  return 1
end

-- find_unread(service, entries): returns how many outcomes the groups have not read of entries that are about to be
-- removed, and the names of these groups.
local function find_unread(service, entries)
  local stream = key.outcomes(service)
  local unread, behind, first, last = 0, {}, entries[1][1], entries[#entries][1]
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group, unacked, missed = {}, {}, 0
    for at = 1, #reply, 2 do group[reply[at]] = reply[at + 1] end
    if group.pending > 0 then
      for _, each in ipairs(redis.call('XPENDING', stream, group.name, first, last, #entries)) do
        unacked[each[1]] = true
        redis.call('XACK', stream, group.name, each[1])
      end
    end
    for _, entry in ipairs(entries) do
      local id = entry[1]
      if unacked[id] or is_after(id, group['last-delivered-id']) then missed = missed + count_jobs(entry) end
    end
    if missed > 0 then unread, behind[#behind + 1] = unread + missed, group.name end
  end
  return unread, behind
end

local function trim_oldest(service, is_over)
  local stream = key.outcomes(service)
  local function oldest(count)
    local entries = {}
    for number, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', count)) do
      if not is_over(number, tonumber(string.match(entry[1], '^%d+'))) then break end
      entries[number] = entry
    end
    return entries
  end
  if not oldest(1)[1] then return 0, 0 end
  local entries, outcomes = oldest(STEP), 0
  for _, entry in ipairs(entries) do outcomes = outcomes + count_jobs(entry) end
  local unread, behind = find_unread(service, entries)
  local last = entries[#entries][1]
  local ms, seq = string.match(last, '^(%d+)-(%d+)$')
  redis.call('XTRIM', stream, 'MINID', string.format('%s-%.0f', ms, seq + 1))
  -- After XTRIM: where memory is used up, Redis allows no other write before it.
  local name = key.service(service)
  redis.pcall('HSET', name, 'trimmed_to', last)
  if unread > 0 then
    redis.pcall('HINCRBY', name, 'outcomes_unread', unread)
    redis.pcall('HSET', name, 'unread_by', table.concat(behind, ' '))
  end
  return #entries, outcomes
end
