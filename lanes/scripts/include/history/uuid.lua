-- pack_uuid(text): returns the 16 bytes of a UUID in its usual form, nil for another text.
local UUID = '^(%x%x%x%x%x%x%x%x)%-(%x%x%x%x)%-(%x%x%x%x)%-(%x%x%x%x)%-(%x%x%x%x)(%x%x%x%x%x%x%x%x)$'

local function pack_uuid(text)
  if #text ~= 36 or string.lower(text) ~= text then return nil end
  local a, b, c, d, e, f = string.match(text, UUID)
  if not a then return nil end
  return struct.pack('>I4I2I2I2I2I4', tonumber(a, 16), tonumber(b, 16), tonumber(c, 16), tonumber(d, 16), tonumber(e, 16),
    tonumber(f, 16))
end

-- pack_id(id): returns a job's id as it is in `done_ids`.
local function pack_id(id)
  local uuid = pack_uuid(id)
  return uuid and '=' .. uuid or '-' .. id
end
