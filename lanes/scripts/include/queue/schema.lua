-- add_location(location, jobs): lists a new lane, whose first numbers of jobs were just taken. Notes the version of the
-- layout with the first lane. Returns the last of these numbers. An earlier lane of the location may have ended: then
-- the numbers go on from the clock (ms), above those of every lane that ended.
local function add_location(location, jobs)
  redis.call('SADD', key.locations, location)
  redis.call('SET', key.schema, SCHEMA, 'NX')
  local highest = redis.pcall('HGET', key.ended_lanes, 'seq')
  if not highest then return jobs end
  local seq = math.max(math.floor(now / 1000), tonumber(highest) or 0) + jobs
  redis.call('HSET', key.lane(location), 'seq', string.format('%.0f', seq))
  return seq
end
