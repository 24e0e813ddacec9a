-- credential_version(name): the version of the credential that is stored under a name, '0' when there is none: the token of the
-- settings serves then.
local function credential_version(name)
  return string.match(redis.call('HGET', key.tokens, name) or '', '^%d+') or '0'
end
