-- check_members: finds members of keys whose job is gone or elsewhere. Read-only.
-- ARGV:
--   1.. name of a key, its location or '', the record or '', and the member, repeated
-- Returns: positions of the wrong members, the first is 1
-- @include read_only
-- @include now
-- @include repair/is_valid_member
local wrong = {}
for at = 1, #ARGV, 4 do
  if not is_valid_member(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) then wrong[#wrong + 1] = (at + 3) / 4 end
end
return answer(wrong)
