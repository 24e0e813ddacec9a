"""`python -m ops.sandbox`: see `--help`."""

from ops.sandbox.cli import sandbox

sandbox(prog_name="lanes sandbox")
