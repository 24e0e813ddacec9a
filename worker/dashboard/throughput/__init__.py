"""TODO worker/dashboard/throughput."""
