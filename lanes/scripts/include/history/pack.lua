-- @include history/uuid
-- A done job is one value: a MessagePack array of its fields, then an array for each attempt. Times are differences from
-- its acceptance. unpack.lua reads it.
local function outcomes()
  return { 'delivered', 'retry', 'unconfirmed', 'throttled', 'requeued', 'braked', 'refused', 'exhausted', 'unauthorized', 'lost' }
end

-- pack_number(text): returns a whole number, the text itself if it is not written as one.
local function pack_number(text)
  local number = tonumber(text)
  return number and math.abs(number) < 2 ^ 53 and string.format('%.0f', number) == text and number or text
end

-- pack_detail(packed, json): appends the sum of the bits of the members that it has, then their values, in the order of
-- `unpack_detail`. A detail with anything else is one text, its JSON. Returns its `seconds` in us, 0 if it has none.
local function pack_detail(packed, json)
  local readable, detail = pcall(cjson.decode, json)
  if not readable or type(detail) ~= 'table' then detail = {} end
  local status, trace, seconds, new, us = detail.status, detail.trace_id, detail.seconds, detail.new, 0
  local bits, members, at = 0, 0, 6
  local function add(bit, value)
    bits, members, packed[at], at = bits + bit, members + 1, value, at + 1
  end
  if type(status) == 'number' and status % 1 == 0 and math.abs(status) < 1e6 then add(1, status - 200) end
  local is_text = type(trace) == 'string'
  local uuid = is_text and pack_uuid(trace)
  if uuid then add(2, uuid) elseif is_text then add(512, trace) end
  if type(detail.opportunity_id) == 'string' then add(4, detail.opportunity_id) end
  if type(new) == 'boolean' then bits, members = bits + (new and 8 or 16), members + 1 end
  if type(seconds) == 'number' and math.abs(seconds) < 1e6 then
    local steps = math.floor(seconds * 10000 + 0.5)  -- of 0.1 ms, as workers measure
    if seconds == steps / 10000 then
      add(32, steps)
      us = 100 * steps
    end
  end
  if type(detail.worker) == 'string' then add(64, detail.worker) end
  if type(detail.message) == 'string' then add(128, detail.message) end
  if type(detail.code) == 'string' then add(256, detail.code) end
  if type(detail.warning) == 'string' then add(1024, detail.warning) end
  for _ in pairs(detail) do members = members - 1 end
  packed[5] = bits
  if members == 0 and bits > 0 then return us end
  for place = at - 1, 6, -1 do packed[place] = nil end
  packed[5] = json
  return 0
end

-- pack_attempt(line, since): returns an array of number, outcome, time from `since` to its start, its duration (as the
-- difference from the `seconds` of its detail) and its detail; and its end. A line that is no attempt is kept as it is.
local function pack_attempt(line, since)
  local number, outcome, started, ended, json = string.match(line, '^(%d+) (%S+) (%d+) (%d+) (.*)$')
  number, started, ended = tonumber(number), tonumber(started), tonumber(ended)
  if not number or math.max(number, started, ended) >= 2 ^ 53 then return line, nil end
  if outcome == 'delivered' then
    outcome = 1
  else
    for code, name in ipairs(outcomes()) do
      if name == outcome then outcome = code end
    end
  end
  local packed = { number, outcome, started - since, ended - started }
  packed[4] = packed[4] - pack_detail(packed, json)
  return packed, ended
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

-- pack_done(fields, lines): returns the value of a done job with the fields of its hash and the lines of its attempts.
local function pack_done(fields, lines)
  local accepted_at = fields.accepted_at and pack_number(fields.accepted_at) or false
  local since = type(accepted_at) == 'number' and accepted_at or 0
  local attempts, last = {}, nil
  for at, line in ipairs(lines) do
    local attempt, ended = pack_attempt(line, since)
    attempts[at], last = cmsgpack.pack(attempt), ended or last
  end
  local ended_at = fields.ended_at and pack_number(fields.ended_at) or false
  if ended_at and ended_at == last then
    ended_at = true
  elseif type(ended_at) == 'number' then
    ended_at = ended_at - since
  end
  local state = fields.state == 'delivered' and 1 or fields.state == 'cancelled' and 2 or 3
  return cmsgpack.pack({ state, fields.location or false, fields.record or false, accepted_at, ended_at,
                         fields.attempt and pack_number(fields.attempt) or false, fields.service or false,
                         pack_others(fields) }) .. table.concat(attempts)
end
