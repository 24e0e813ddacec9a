-- add_locations(locations): lists new locations, and notes the version of the layout with the first.
local function add_locations(locations)
  redis.call('SADD', key.locations, unpack(locations))
  redis.call('SET', key.schema, SCHEMA, 'NX')
end
