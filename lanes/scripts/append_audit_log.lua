-- append_audit_log: writes an entry before a person's action.
-- ARGV:
--   1 who
--   2 what        a verb
--   3 on          a location, a job or a filter
--   4 detail      or ''
--   5 user        the login, or the user of the system
--   6 max_count   entries to keep, approximately
-- Returns: id of the entry
-- A full Redis allows XTRIM, and then all later writes: a change that frees memory must be logged, too.
redis.call('XTRIM', key.audit_log, 'MAXLEN', '~', ARGV[6])
local entry = { 'who', ARGV[1], 'what', ARGV[2], 'on', ARGV[3], 'detail', ARGV[4], 'user', ARGV[5] }
return redis.call('XADD', key.audit_log, '*', unpack(entry))
