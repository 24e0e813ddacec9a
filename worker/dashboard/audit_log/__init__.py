"""TODO worker/dashboard/audit_log."""
