-- finite_score(name, member): returns the score of a member, nil without one. Removes a member whose score is no time.
local function finite_score(name, member)
  local score = tonumber(redis.call('ZSCORE', name, member))
  if score and math.abs(score) >= 2 ^ 53 then
    redis.call('ZREM', name, member)
    return nil
  end
  return score
end
