-- @include dead_letter/age
-- newest_delivered(location, record): returns age and id of the newest job delivered while its record had dead letters.
local function newest_delivered(location, record)
  local text = redis.call('HGET', key.newest_delivered(location), record) or ''
  local newest, first_seq, id = string.match(text, '^(%d+) (%d+) (.+)$')
  return newest and { newest = tonumber(newest), first_seq = tonumber(first_seq) }, id
end

-- note_delivered(job): remembers a delivered job, so that a replay does not overwrite it.
local function note_delivered(job)
  if job.lane.dead_letters == 0 or redis.call('HEXISTS', key.dead_letter_counts(job.location), job.record) == 0 then return end
  local written, known = age(job.id, job.done), newest_delivered(job.location, job.record)
  if known and (known.newest > written.newest
    or known.newest == written.newest and known.first_seq > written.first_seq) then return end
  redis.call('HSET', key.newest_delivered(job.location), job.record,
    string.format('%.0f %.0f %s', written.newest, written.first_seq, job.id))
end
