"""TODO worker/dashboard/jobs."""
