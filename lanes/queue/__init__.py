"""The state machine: jobs, transitions, and reading them."""
