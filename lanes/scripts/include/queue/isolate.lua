-- @lazy queue/broken_keys
-- One broken key stops one lane, or one job, and no other. Redis does not undo what a failed script wrote before; the
-- consistency check repairs that.
-- isolate(location, id, step, ...): returns true and the result of the step; or false and what is broken, if a stored
-- value of this lane, or of its job `id`, cannot be read. A broken key of all lanes fails the script, and names the
-- key.
local function isolate(location, id, step, ...)
  local whole, result = pcall(step, ...)
  if whole then return true, result end
  return false, broken_keys().find_broken(location, id, result)
end
