-- begin_renewal: locks a credential for one worker that renews it. Also notes the first request that may spend its
-- refresh token: after that request, the API returns the same pair only for a limited time, even if the worker dies.
-- ARGV:
--   1 name      as in store_credential
--   2 version   to renew
--   3 holder    the worker; the holder may begin again
--   4 lock      ms for which the lock excludes others
--   5 spends    '1' when a refresh token is spent, '' when a token is exchanged
-- Returns: { 'begun', time of the first request that may have spent this version's refresh token (us, 0: none), now }
--   or { 'locked' } while another renews it or renewal is paused; or { 'replaced' } when another version is stored
-- @include now
local name, version = ARGV[1], ARGV[2]
local lock = redis.call('GET', key.token_lock(name))
if (string.match(redis.call('HGET', key.tokens, name) or '', '^%d+') or '') ~= version then return { 'replaced' } end
if lock and lock ~= ARGV[3] then return { 'locked' } end
local noted, first = string.match(redis.call('HGET', key.renewals, name) or '', '^(%d+) (%d+)$')
-- A full Redis allows DEL, and then SET: tokens must be renewed as long as jobs can be sent.
redis.call('DEL', key.token_lock(name))
redis.call('SET', key.token_lock(name), ARGV[3], 'PX', ARGV[4])
if ARGV[5] ~= '1' then return { 'begun', 0, now } end
if noted ~= version then
  first = string.format('%.0f', now)
  redis.call('HSET', key.renewals, name, version .. ' ' .. first)
end
return { 'begun', tonumber(first), now }
