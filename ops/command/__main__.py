"""`python -m ops.command`: the command `lanes`, from whichever environment this Python is of."""

from ops.command import main

main()
