-- add_location(location): lists a new location, and notes the version of the layout with the first.
local function add_location(location)
  redis.call('SADD', key.locations, location)
  redis.call('SET', key.schema, SCHEMA, 'NX')
end
