-- unpack_uuid(bytes), unpack_id(bytes): return what `pack_uuid` and `pack_id` packed.
local function unpack_uuid(bytes)
  return string.format('%08x-%04x-%04x-%04x-%04x%08x', struct.unpack('>I4I2I2I2I2I4', bytes))
end

local function unpack_id(bytes)
  local id = string.sub(bytes, 2)
  return string.sub(bytes, 1, 1) == '=' and #id == 16 and unpack_uuid(id) or id
end
