-- repair_counts: corrects counts, unless they changed since they were read.
-- ARGV:
--   1 location   or '' for the counts over all lanes
--   2.. name of a count, value read ('' for none), correct value ('' to leave it), repeated
-- Returns: 'repaired', or 'changed' when a count is not as it was read
local name = ARGV[1] == '' and key.counts or key.lane(ARGV[1])
for at = 2, #ARGV, 3 do
  if (redis.call('HGET', name, ARGV[at]) or '') ~= ARGV[at + 1] then return 'changed' end
end
for at = 2, #ARGV, 3 do
  if ARGV[at + 2] ~= '' then redis.call('HSET', name, ARGV[at], ARGV[at + 2]) end
end
return 'repaired'
