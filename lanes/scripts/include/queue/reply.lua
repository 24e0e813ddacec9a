-- @include queue/release_next
-- reply(code, from): the code of the transition, followed by what release_next(from) returns.
local function reply(code, from)
  return { code, unpack(release_next(from)) }
end
