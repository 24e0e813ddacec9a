-- @include history/uuid
-- @lazy history/pack_line
-- A done job is one value: a MessagePack array of its fields, then an array for each attempt. Times are differences
-- from its acceptance. read_done.lua reads it.

-- pack_number(text): returns a positive whole number, the text itself if it is not written as one.
local function pack_number(text)
  local number = string.find(text, '^[1-9]%d*$') and tonumber(text)
  return number and number < 2 ^ 53 and number or text
end

-- pack_detail(packed, json, before): appends the sum of the bits of the members that it has, then their values, in the
-- order of `unpack_detail`. A detail with anything else is one text, its JSON. Returns its `seconds` in us, 0 if it has
-- none. `before` are the worker and the message of the attempt before, and then of this one: the same again is `true`.
local function pack_detail(packed, json, before)
  local readable, detail = pcall(cjson.decode, json)
  if not readable or type(detail) ~= 'table' then detail = {} end
  local members, bits, at, us, new = 0, 0, 6, 0, detail.new
  for _ in pairs(detail) do members = members + 1 end
  local status, trace, seconds = detail.status, detail.trace_id, detail.seconds
  if type(status) == 'number' and status % 1 == 0 and math.abs(status) < 1e6 then
    bits, packed[at], at = 1, status - 200, at + 1
  end
  if type(trace) == 'string' then
    local uuid = pack_uuid(trace)
    bits, packed[at], at = bits + (uuid and 2 or 512), uuid or trace, at + 1
  end
  if type(detail.opportunity_id) == 'string' then bits, packed[at], at = bits + 4, detail.opportunity_id, at + 1 end
  if type(new) == 'boolean' then bits, members = bits + (new and 8 or 16), members - 1 end
  local steps = type(seconds) == 'number' and math.floor(seconds * 10000 + 0.5)  -- of 0.1 ms, as workers measure
  if steps and math.abs(seconds) < 1e6 and seconds == steps / 10000 then
    bits, packed[at], at, us = bits + 32, steps, at + 1, 100 * steps
  end
  local worker, message = detail.worker, detail.message
  if type(worker) == 'string' then bits, packed[at], at = bits + 64, worker == before.worker or worker, at + 1 end
  if type(message) == 'string' then bits, packed[at], at = bits + 128, message == before.message or message, at + 1 end
  if type(detail.code) == 'string' then bits, packed[at], at = bits + 256, detail.code, at + 1 end
  if type(detail.warning) == 'string' then bits, packed[at], at = bits + 1024, detail.warning, at + 1 end
  packed[5] = bits
  if bits > 0 and members == at - 6 then
    before.worker, before.message = worker, message
    return us
  end
  for place = at - 1, 6, -1 do packed[place] = nil end
  packed[5] = json
  return 0
end

-- pack_attempt(since, before, number, outcome, started, ended, json): returns an array of number, outcome, time from
-- `since` to its start, its duration (as the difference from the `seconds` of its detail) and its detail. Returns nil
-- without numbers. `outcome` is its place in `outcomes()`, 1 for delivered, or its name.
local function pack_attempt(since, before, number, outcome, started, ended, json)
  if not number or not started or math.max(number, started, ended) >= 2 ^ 53 then return nil end
  local packed = { number, outcome, started - since, ended - started, json, nil, nil, nil, nil, nil }  -- room for its detail
  packed[4] = packed[4] - pack_detail(packed, json, before)
  return packed
end

-- pack_others(fields): returns the fields without a place of their own that are told of a delivered job; of a cancelled
-- one all, because a person may restore it. Returns false for none.
local function pack_others(fields)
  local others, any = {}, false
  if fields.state == 'delivered' then
    for _, name in ipairs({ 'not_before', 'expires_at', 'priority', 'version', 'edited_at', 'event_time', 'first_seq' }) do
      if fields[name] then others[name], any = pack_number(fields[name]), true end
    end
    if fields.failures and fields.failures ~= '0' then others.failures, any = pack_number(fields.failures), true end
    return any and others
  end
  local placed = { state = 1, location = 1, record = 1, accepted_at = 1, ended_at = 1, attempt = 1, service = 1, was_dead = 1,
                   merged_count = 1, retention = 1 }
  for name, value in pairs(fields) do
    if not placed[name] then others[name], any = pack_number(value), true end
  end
  return any and others
end

-- pack_done(fields, lines, detail): returns the value of a done job with the fields of its hash and the lines of its
-- attempts. With `detail` its last attempt ends now and delivers it, and has no line.
local function pack_done(fields, lines, detail)
  local accepted_at = fields.accepted_at and pack_number(fields.accepted_at) or false
  local since = type(accepted_at) == 'number' and accepted_at or 0
  local number = fields.attempt and pack_number(fields.attempt) or false
  local earlier, before, last, attempt = {}, {}, nil, nil
  for at, line in ipairs(lines) do
    local packed, ended = pack_line().pack_line(since, before, line)
    earlier[at], last = cmsgpack.pack(packed), ended or last
  end
  if detail then
    attempt = pack_attempt(since, before, tonumber(number), 1, tonumber(fields.released_at), now, detail)
    last = attempt and now or last
  end
  local ended_at = fields.ended_at and pack_number(fields.ended_at) or false
  if ended_at and ended_at == last then
    ended_at = true
  elseif type(ended_at) == 'number' then
    ended_at = ended_at - since
  end
  local state = fields.state == 'delivered' and 1 or fields.state == 'cancelled' and 2 or 3
  local head = { state, fields.location or false, fields.record or false, accepted_at, ended_at, number, fields.service or false,
                 pack_others(fields) }
  if detail and not lines[1] then return cmsgpack.pack(head, attempt or detail) end
  if detail then earlier[#earlier + 1] = cmsgpack.pack(attempt or detail) end
  return cmsgpack.pack(head) .. table.concat(earlier)
end
