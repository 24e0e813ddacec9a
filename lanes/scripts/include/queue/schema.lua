-- add_locations(locations): lists new locations, and notes the version of the layout with the first.
local function add_locations(locations)
  redis.call('SADD', key.locations, unpack(locations))
  redis.call('SET', key.schema, SCHEMA, 'NX')
end

-- first_seq(): returns the number before that of a new lane's first job. An earlier lane of the location may have
-- ended: then the numbers go on from the clock (ms), above those of every lane that ended.
local function first_seq()
  local highest = redis.pcall('HGET', key.ended_lanes, 'seq')
  return highest and math.max(math.floor(now / 1000), tonumber(highest) or 0) or 0
end
