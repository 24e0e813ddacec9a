local NEVER_MERGED = NEVER_MERGED_FIELDS

-- value_end(json, at): returns the position of the comma or brace after the value that begins at `at`.
local function value_end(json, at)
  local depth = 0
  while true do
    at = string.find(json, '[]["{},]', at)
    local character = string.sub(json, at, at)
    if character == '"' then
      repeat
        at = string.find(json, '["\\]', at + 1)
        local escape = string.sub(json, at, at) == '\\'
        if escape then at = at + 1 end
      until not escape
    elseif character == '{' or character == '[' then
      depth = depth + 1
    elseif depth == 0 then
      return at
    elseif character ~= ',' then
      depth = depth - 1
    end
    at = at + 1
  end
end

-- fields(json): returns names, in order, and raw values of an object as producers write it (no white space, no escapes
-- in names). Raw, so that numbers keep every digit.
local function fields(json)
  local names, values, at = {}, {}, 2
  while string.sub(json, at, at) == '"' do
    local name_end = string.find(json, '"', at + 1, true)
    local finish = value_end(json, name_end + 2)
    local name = string.sub(json, at + 1, name_end - 1)
    names[#names + 1] = name
    values[name] = string.sub(json, name_end + 2, finish - 1)
    at = finish + 1
  end
  return names, values
end

local function join_fields(names, values)
  local parts = {}
  for _, name in ipairs(names) do parts[#parts + 1] = '"' .. name .. '":' .. values[name] end
  return '{' .. table.concat(parts, ',') .. '}'
end
