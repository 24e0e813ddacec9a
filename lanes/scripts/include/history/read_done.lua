-- @include history/outcomes
-- @include history/unpack_uuid
-- unpack_value(value): returns { fields of a job's hash, as text; lines of its attempts }. Fails for anything that
-- `pack_done` did not write.
local function unpack_value(value)
  local function number_text(number)
    return type(number) == 'number' and string.format('%.0f', number) or number or nil
  end

  -- unpack_detail(packed, before): returns the JSON of the detail, with the members in the order in which workers write
  -- them, and its `seconds` in us. `before` is as `pack_detail` has it.
  local function unpack_detail(packed, before)
    local bits, values, parts, at = packed[5], {}, {}, 5
    if type(bits) ~= 'number' then return bits, 0 end
    local function has(bit) return bits % (2 * bit) >= bit end
    for _, bit in ipairs({ 1, 2, 512, 4, 32, 64, 128, 256, 1024 }) do
      if has(bit) then
        at = at + 1
        values[bit] = packed[at]
      end
    end
    before.worker = values[64] == true and before.worker or values[64]
    before.message = values[128] == true and before.message or values[128]
    local function add(name, json)
      if json then parts[#parts + 1] = '"' .. name .. '":' .. json end
    end
    local function add_text(name, text) add(name, text and cjson.encode(text)) end
    local seconds = values[32] and string.format('%.14g', values[32] / 10000)
    add('status', values[1] and string.format('%.0f', values[1] + 200))
    add_text('message', before.message)
    add_text('code', values[256])
    add_text('trace_id', values[2] and unpack_uuid(values[2]) or values[512])
    add_text('opportunity_id', values[4])
    add('new', has(8) and 'true' or has(16) and 'false')
    add_text('warning', values[1024])
    add('seconds', seconds and (string.find(seconds, '[.e]') and seconds or seconds .. '.0'))
    add_text('worker', before.worker)
    return '{' .. table.concat(parts, ',') .. '}', 100 * (values[32] or 0)
  end

  local next_at, placed = cmsgpack.unpack_one(value)
  local since = type(placed[4]) == 'number' and placed[4] or 0
  local lines, before, last = {}, {}, nil
  while next_at ~= -1 do
    local packed
    next_at, packed = cmsgpack.unpack_one(value, next_at)
    if type(packed) == 'table' then
      local started, json, us = since + packed[3], unpack_detail(packed, before)
      last = started + packed[4] + us
      packed = string.format('%.0f %s %.0f %.0f %s', packed[1], outcomes()[packed[2]] or packed[2], started, last, json)
    end
    lines[#lines + 1] = packed
  end
  local ended_at = placed[5]
  if ended_at == true then
    ended_at = last
  elseif type(ended_at) == 'number' then
    ended_at = since + ended_at
  end
  local fields = { state = ({ 'delivered', 'cancelled', 'merged' })[placed[1]], location = placed[2] or nil, record = placed[3] or nil,
                   accepted_at = number_text(placed[4]), ended_at = number_text(ended_at), attempt = number_text(placed[6]),
                   service = placed[7] or nil }
  if not (fields.state and fields.location and fields.record) then error('a field is missing', 0) end
  for name, other in pairs(placed[8] or {}) do fields[name] = number_text(other) end
  return { fields = fields, lines = lines }
end

-- read_done(id): returns fields and lines of a done job, nil if there is none.
local function read_done(id)
  local value = redis.call('GET', key.done(id))
  if not value then return nil end
  local readable, done = pcall(unpack_value, value)
  if not readable then error(key.done(id) .. ' cannot be read', 0) end
  return done
end

-- done_state(id): returns the state of a done job, nil if there is none.
local function done_state(id)
  local done = read_done(id)
  return done and done.fields.state
end
