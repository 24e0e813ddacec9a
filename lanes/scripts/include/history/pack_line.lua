-- @include history/outcomes
-- pack_line(since, before, line): returns the attempt of a line, and its end. A line that is no attempt is kept as it is.
local function pack_line(since, before, line)
  local number, outcome, started, ended, json = string.match(line, '^(%d+) (%S+) (%d+) (%d+) (.*)$')
  ended = tonumber(ended)
  for code, name in ipairs(outcomes()) do
    if name == outcome then outcome = code end
  end
  local packed = pack_attempt(since, before, tonumber(number), outcome, tonumber(started), ended, json)
  return packed or line, packed and ended
end
