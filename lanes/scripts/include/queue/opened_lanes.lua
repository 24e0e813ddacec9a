-- @include queue/isolate
-- @include queue/due
-- @lazy queue/schema
-- The lanes into which one call puts jobs. Each is read once, at its first job, and written once, at the end.
local lanes, opened, seq_of_new = {}, {}, nil

-- added(text, jobs): returns a stored count and some jobs. A count that cannot be read stays as it is: the consistency
-- check repairs it.
local function added(text, jobs)
  local number = tonumber(text or 0)
  return number and number % 1 == 0 and math.abs(number) < 2 ^ 53 and number + jobs or text
end

-- open_lane(location): returns the lane. The caller adds to `seq`, counts what it `accepted`, what is `pending` and
-- what it `merged`, and lowers `due_at` to the earliest time at which one of the jobs may be sent.
local function open_lane(location)
  local stored = redis.call('HMGET', key.lane(location), 'seq', 'accepted', 'pending', unpack(PAUSES))
  if not stored[1] then seq_of_new = seq_of_new or schema().first_seq() end
  local seq = added(stored[1] or seq_of_new, 0)
  if type(seq) ~= 'number' then error(key.lane(location) .. ' seq is no number', 0) end
  local lane = { location = location, stored = stored, seq = seq, accepted = 0, pending = 0, merged = 0, due_at = math.huge }
  lanes[#lanes + 1], opened[location] = lane, lane
  return lane
end

-- write_lanes(): writes the lanes and what is counted over all of them. A broken key of all lanes fails the script,
-- except for the counts: the consistency check adds them up again.
local function write_lanes()
  local accepted, pending, merged, due, new = 0, 0, 0, {}, nil
  for i = 1, #lanes do
    local lane = lanes[i]
    if lane.accepted > 0 then
      local location, stored = lane.location, lane.stored
      redis.call('HSET', key.lane(location), 'seq', lane.seq, 'accepted', added(stored[2], lane.accepted),
        'pending', added(stored[3], lane.pending))
      if lane.merged > 0 then redis.pcall('HINCRBY', key.lane(location), 'merged', lane.merged) end
      accepted, pending, merged = accepted + lane.accepted, pending + lane.pending, merged + lane.merged
      if not stored[1] then
        new = new or {}
        new[#new + 1] = location
      end
      local at = lane.due_at < math.huge and due_from(lane.due_at, unpack(stored, 4, 8))
      if at then due[#due + 1], due[#due + 2] = at, location end
    end
  end
  if new then schema().add_locations(new) end
  if accepted > 0 then redis.pcall('HINCRBY', key.counts, 'accepted', accepted) end
  if pending > 0 then redis.pcall('HINCRBY', key.counts, 'pending', pending) end
  if merged > 0 then redis.pcall('HINCRBY', key.counts, 'merged', merged) end
  if due[1] then isolate(nil, nil, make_due, due) end
end
