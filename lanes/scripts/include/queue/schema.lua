-- add_locations(locations): lists new locations, and notes the version of the layout with the first.
local function add_locations(locations)
  redis.call('SADD', key.locations, unpack(locations))
  redis.call('SET', key.schema, SCHEMA, 'NX')
end

-- seq_of_new_lane(): returns the number after which those of a new lane begin. An earlier lane of the location may have
-- ended: then they go on from the clock (ms), above those of every lane that ended.
local new_lane_seq

local function seq_of_new_lane()
  if new_lane_seq then return new_lane_seq end
  local highest = redis.pcall('HGET', key.ended_lanes, 'seq')
  new_lane_seq = highest and math.max(math.floor(now / 1000), tonumber(highest) or 0) or 0
  return new_lane_seq
end
