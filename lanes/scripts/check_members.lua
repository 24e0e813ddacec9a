-- check_members: which of these stand where they do not belong: ghosts of jobs that are gone, or are elsewhere. Changes nothing.
-- ARGV:
--   1.. in turn the name of a key, its location or '', the record or '', and what stands there
-- Returns: the positions of those that do not belong, the first is 1
-- @include now
-- @include repair/is_valid_member
local wrong = {}
for at = 1, #ARGV, 4 do
  if not is_valid_member(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) then wrong[#wrong + 1] = (at + 3) / 4 end
end
return wrong
