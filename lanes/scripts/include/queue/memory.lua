-- read_memory(): returns bytes in use and `maxmemory`; nil without a limit, or without INFO (renamed, or not
-- permitted).
local function read_memory()
  local info = redis.pcall('INFO', 'memory')
  if type(info) == 'table' and info.err then return nil end
  local function bytes(name) return tonumber(string.match(info, '\n' .. name .. ':(%d+)')) or 0 end
  local max_count = bytes('maxmemory')
  if max_count == 0 then return nil end
  return bytes('used_memory') - bytes('mem_not_counted_for_evict'), max_count
end
