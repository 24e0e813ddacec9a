-- add_location(location): a location gets its first job. Whoever reads the data finds their layout noted.
local function add_location(location)
  redis.call('SADD', key.locations, location)
  redis.call('SET', key.schema, SCHEMA, 'NX')
end
