-- @include queue/release_next
-- reply(code, from): returns the code of the transition and what release_next(from) returns.
local function reply(code, from)
  return { code, unpack(release_next(from)) }
end
