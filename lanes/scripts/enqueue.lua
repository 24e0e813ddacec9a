-- enqueue: a job enters its lane.
-- Moves: nothing -> pending
-- ARGV:
--   1 id           the producer's choice; the same id again is the same job
--   2 location
--   3 record       the opportunity that it writes, within the location
--   4 body         JSON, as it will be sent
--   5 not_before   time in us before which it is not sent, or ''
--   6 expires_at   time in us from which it is not sent any more, or ''
--   7 service      name of the calling service, or ''
--   8 key          idempotency key, or ''
--   9 fingerprint  of the body, compared when the key is known
--  10 window       ms for which the key is known
-- Returns: { 'accepted' | 'known' | 'conflict', id of the job }
-- @include now
-- @include count
-- @include append
local id, location, record = ARGV[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', key.job(id)) == 1 then return { 'known', id } end
local idempotency = ARGV[8] ~= '' and key.idempotency(location, ARGV[8])
if idempotency then
  local known = redis.call('GET', idempotency)
  if known then
    local job, fingerprint = string.match(known, '^(%S+) (%S+)$')
    if fingerprint == ARGV[9] then return { 'known', job } end
    return { 'conflict', job }
  end
end
redis.call('SET', key.body(id), ARGV[4])
local seq = redis.call('HINCRBY', key.lane(location), 'seq', 1)
if seq == 1 then redis.call('SADD', key.locations, location) end
redis.call('HSET', key.job(id), 'state', 'pending', 'location', location, 'record', record, 'seq', seq, 'accepted_at', now)
if ARGV[5] ~= '' then redis.call('HSET', key.job(id), 'not_before', ARGV[5]) end
if ARGV[6] ~= '' then
  redis.call('HSET', key.job(id), 'expires_at', ARGV[6])
  redis.call('ZADD', key.expiring, ARGV[6], id)
end
if ARGV[7] ~= '' then redis.call('HSET', key.job(id), 'service', ARGV[7]) end
if idempotency then redis.call('SET', idempotency, id .. ' ' .. ARGV[9], 'PX', ARGV[10]) end
count(location, nil, 'accepted')
count(location, nil, 'pending')
append(location, record, id, seq, tonumber(ARGV[5]))
return { 'accepted', id }
