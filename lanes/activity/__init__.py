"""What happened: series of counts, and the audit log."""
