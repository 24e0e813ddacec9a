-- audit_jobs: whether each job is where its state says, and nowhere else. Changes nothing.
-- ARGV: ids of jobs
-- Returns: lines that each tell one thing that is wrong
local wrong = {}
for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', key.job(id), 'state', 'location', 'record', 'merged_into', 'died')
  local state, location, record = job[1], job[2], job[3]
  if not state then
    if redis.call('EXISTS', key.body(id)) == 1 then table.insert(wrong, id .. ': a body without a job') end
  else
    local head = redis.call('HGET', key.heads(location), record) == id
    local ready = redis.call('ZSCORE', key.ready(location), id) and 1 or 0
    local later = redis.call('ZSCORE', key.later(location), id) and 1 or 0
    local behind = redis.call('LPOS', key.behind(location, record), id) and 1 or 0
    local leased = redis.call('ZSCORE', key.leases, id) and 1 or 0
    local dead = redis.call('ZSCORE', key.dead, id) and 1 or 0
    local body = redis.call('EXISTS', key.body(id)) == 1
    local function check(fact, text)
      if not fact then table.insert(wrong, id .. ' (' .. state .. ', location ' .. location .. '): ' .. text) end
    end
    local waits = state == 'pending' and 1 or 0
    check(ready + later + behind == waits, 'waits in ' .. (ready + later + behind) .. ' places, not ' .. waits)
    local letter = state == 'dead' or state == 'expired'
    check((letter and 1 or 0) == dead, 'dead letters and state disagree')
    check(job[5] or not letter, 'a dead letter that never died')
    check(not job[5] or redis.call('HEXISTS', key.letters(location), record) == 1, 'its record knows of no dead letter')
    if state == 'pending' then
      check(leased == 0, 'pending, with a lease')
      check(head == (behind == 0), 'head of its record and place disagree')
      if ready + later == 1 and not redis.call('HGET', key.lane(location), 'hold') then
        check(redis.call('ZSCORE', key.due, location), 'its lane is never due')
      end
    elseif state == 'in_flight' then
      check(leased == 1 and head, 'in flight without a lease, or not the head of its record')
    else
      check(head == (leased == 1), 'done, but still the head of its record')
    end
    check(body == (state == 'pending' or state == 'in_flight' or letter), 'body and state disagree')
    check(body or redis.call('EXISTS', key.original(id)) == 0, 'an original without a body')
    local carrier = job[4]
    local carried_on = carrier and redis.call('PTTL', key.job(carrier)) == -1
    check(body or carried_on or redis.call('PTTL', key.job(id)) > 0, 'done, but kept for ever')
    check(not carrier or redis.call('SISMEMBER', key.carried(carrier), id) == 1, 'merged into a job that does not carry it')
  end
end
return wrong
