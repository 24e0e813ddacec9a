"""`python -m worker.highlevel.sandbox`: see `--help`."""

from worker.highlevel.sandbox.arguments import main

main()
