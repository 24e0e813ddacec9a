-- @include queue/isolate
-- @include queue/schedule
-- @include queue/schema
-- The lanes into which one call puts jobs. Each is read once, at its first job, and written once, at the end.
local FIELDS_OF_LANE = { 'seq', 'accepted', 'pending', 'merged', unpack(PAUSES) }
local lanes, opened = {}, {}

-- whole_number(text): returns the number, 0 for a missing field; nil if it is none.
local function whole_number(text)
  local number = tonumber(text or 0)
  return number and number % 1 == 0 and math.abs(number) < 2 ^ 53 and number or nil
end

-- open_lane(location): returns the lane. The caller adds to `seq`, counts what it `accepted`, what is `pending` and
-- what it `merged`, and lowers `due_at` to the earliest time at which one of the jobs may be sent.
local function open_lane(location)
  if opened[location] then return opened[location] end
  local stored = redis.call('HMGET', key.lane(location), unpack(FIELDS_OF_LANE))
  local seq = whole_number(stored[1] or first_seq())
  if not seq then error(key.lane(location) .. ' seq is no number', 0) end
  local lane = { location = location, stored = stored, seq = seq, accepted = 0, pending = 0, merged = 0, due_at = math.huge }
  lanes[#lanes + 1], opened[location] = lane, lane
  return lane
end

-- write_lane(lane): a count that cannot be read stays as it is: the consistency check repairs it.
local function write_lane(lane)
  local changes = { 'seq', lane.seq }
  for i = 2, 4 do
    local state = FIELDS_OF_LANE[i]
    local before = lane[state] > 0 and whole_number(lane.stored[i])
    if before then changes[#changes + 1], changes[#changes + 2] = state, before + lane[state] end
  end
  redis.call('HSET', key.lane(lane.location), unpack(changes))
end

-- write_lanes(): writes the lanes and what is counted over all of them. A broken key of all lanes fails the script,
-- except for the counts: the consistency check adds them up again.
local function write_lanes()
  local new, due = {}, {}
  local total = { accepted = 0, pending = 0, merged = 0 }
  for _, lane in ipairs(lanes) do
    if lane.accepted > 0 then
      write_lane(lane)
      for state, jobs in pairs(total) do total[state] = jobs + lane[state] end
      if not lane.stored[1] then new[#new + 1] = lane.location end
      local at = lane.due_at < math.huge and due_from(lane.due_at, unpack(lane.stored, 5, 9))
      if at then due[#due + 1], due[#due + 2] = at, lane.location end
    end
  end
  if new[1] then add_locations(new) end
  for state, jobs in pairs(total) do
    if jobs > 0 then redis.pcall('HINCRBY', key.counts, state, jobs) end
  end
  if due[1] then isolate(nil, nil, make_due, due) end
end
