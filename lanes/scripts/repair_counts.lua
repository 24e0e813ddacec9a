-- repair_counts: counts that drifted become right, unless anything was counted since they were read.
-- ARGV:
--   1 location   whose lane it is, or '' for the counts of the cell
--   2.. in turn the name of a count, what was read of it ('' for nothing), what it shall be ('' to leave it)
-- Returns: 'repaired', or 'changed' when something is not as it was read
local name = ARGV[1] == '' and key.counts or key.lane(ARGV[1])
for at = 2, #ARGV, 3 do
  if (redis.call('HGET', name, ARGV[at]) or '') ~= ARGV[at + 1] then return 'changed' end
end
for at = 2, #ARGV, 3 do
  if ARGV[at + 2] ~= '' then redis.call('HSET', name, ARGV[at], ARGV[at + 2]) end
end
return 'repaired'
