-- begin_renewal: one worker alone may renew a credential for a while. The first request that may spend its refresh token is noted
-- before it is made: from then on the API gives the same pair again for some time only, whatever becomes of the worker.
-- ARGV:
--   1 name      as in store_credential
--   2 version   which is renewed
--   3 holder    who renews it; it may begin again
--   4 lock      ms for which no other holder may
--   5 spends    '1' when a refresh token is spent, '' when a token is minted
-- Returns: { 'begun', time of the first request of this version of which nobody knows whether it spent the token (us; 0: none), now }
--       or { 'locked' } while another renews it, or nobody should; or { 'replaced' } when another version stands there
-- @include now
local name, version = ARGV[1], ARGV[2]
local lock = redis.call('GET', key.token_lock(name))
if (string.match(redis.call('HGET', key.tokens, name) or '', '^%d+') or '') ~= version then return { 'replaced' } end
if lock and lock ~= ARGV[3] then return { 'locked' } end
local noted, first = string.match(redis.call('HGET', key.renewals, name) or '', '^(%d+) (%d+)$')
-- The first write is one that a full Redis allows, and with it the next: jobs can go out, so tokens must be renewed.
redis.call('DEL', key.token_lock(name))
redis.call('SET', key.token_lock(name), ARGV[3], 'PX', ARGV[4])
if ARGV[5] ~= '1' then return { 'begun', 0, now } end
if noted ~= version then
  first = string.format('%.0f', now)
  redis.call('HSET', key.renewals, name, version .. ' ' .. first)
end
return { 'begun', tonumber(first), now }
