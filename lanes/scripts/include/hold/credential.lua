-- credential_version(name): returns the stored credential's version, or '0': then the token of the settings is used.
local function credential_version(name)
  return string.match(redis.call('HGET', key.tokens, name) or '', '^%d+') or '0'
end
