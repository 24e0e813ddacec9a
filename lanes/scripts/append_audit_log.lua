-- append_audit_log: somebody changes something by hand; it is written down first.
-- ARGV:
--   1 who
--   2 what     a verb
--   3 on       a location, a job, or what was chosen
--   4 detail   or ''
--   5 most     so many entries are kept, about
-- Returns: id of the entry
-- The first write is one that a full Redis allows, and with it the other: who makes room must be able to.
redis.call('XTRIM', key.audit_log, 'MAXLEN', '~', ARGV[5])
return redis.call('XADD', key.audit_log, '*', 'who', ARGV[1], 'what', ARGV[2], 'on', ARGV[3], 'detail', ARGV[4])
