"""`python -m ops.command`: the command `lanes` of this Python's environment."""

from ops.command import main

main()
