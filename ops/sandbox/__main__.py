"""`python -m ops.sandbox`: see `--help`."""

from ops.sandbox.cli import main

main()
