-- @include dead_letter/age
-- newest_delivered(location, record): the age of the newest job of the record that was delivered while the record had dead
-- letters, and its id; nil when there is none.
local function newest_delivered(location, record)
  local newest, first_seq, id = string.match(redis.call('HGET', key.newest_delivered(location), record) or '', '^(%d+) (%d+) (.+)$')
  return newest and { newest = tonumber(newest), first_seq = tonumber(first_seq) }, id
end

-- note_delivered(job): a replay must not overwrite what this job has written.
local function note_delivered(job)
  if job.lane.dead_letters == 0 or redis.call('HEXISTS', key.dead_letter_counts(job.location), job.record) == 0 then return end
  local written, known = age(job.id), newest_delivered(job.location, job.record)
  if known and (known.newest > written.newest or (known.newest == written.newest and known.first_seq > written.first_seq)) then return end
  redis.call('HSET', key.newest_delivered(job.location), job.record,
    string.format('%.0f %.0f %s', written.newest, written.first_seq, job.id))
end
