-- read_only: for scripts that only read. They take any stored bytes: a key of another Redis type reads as missing, and
-- text that is no finite number is no number.
-- answer(found): the reply of such a script: { keys of another type, what was found }.
local ask, parse = redis.pcall, tonumber
local broken, noted = {}, {}
local NONE = { GET = false, HGET = false, LINDEX = false, LPOS = false, ZSCORE = false, ZRANK = false, LLEN = 0, SCARD = 0,
               ZCARD = 0, ZCOUNT = 0, HLEN = 0, SISMEMBER = 0, HEXISTS = 0 }

local function call(command, ...)
  local reply = ask(command, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then error(reply.err, 0) end
  local name = ...
  if not noted[name] then broken[#broken + 1] = name end
  noted[name] = true
  if NONE[command] ~= nil then return NONE[command] end
  local missing = {}
  if command == 'HMGET' then
    for i = 1, select('#', ...) - 1 do missing[i] = false end
  end
  return missing
end

local redis = { call = call }

local function tonumber(value)
  local number = parse(value)
  return number and math.abs(number) < 2 ^ 53 and number or nil
end

local function answer(found) return { broken, found } end
