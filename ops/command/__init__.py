"""The command `lanes`. A command is one line here, a module and a click command in it, both called as it is."""

import sys

# Command -> what it is for, as `lanes --help` lists it. Modules are imported when they are called for: `lanes status`
# starts fast, and works where only the extra `cli` is installed.
COMMANDS = {
    "enqueue": "Put the rows of a file into the lanes.",
    "status": "Show what waits, what is done and what is dead, in total and per location.",
    "job": "Show a job with its attempts.",
    "cancel": "Cancel pending jobs.",
    "dead": "List, show, edit, replay, export and purge dead letters.",
    "hold": "Stop the lane of a location, or all.",
    "resume": "Resume held lanes.",
    "notify": "Send a test notification.",
    "limit": "Give a location budgets and a weight of its own.",
    "token": "Store, list and remove the tokens of locations.",
    "audit-log": "Show who changed what by hand.",
    "check": "Check a live Redis: is every job in exactly one state?",
    "backup": "Write all that Redis holds to a file, while everything goes on.",
    "restore": "Put a backup into the folder of a Redis that has no data.",
    "sandbox": "Run a server that behaves as HighLevel does.",
    "dashboard": "Serve Flower with pages for throughput, lanes, dead letters and jobs.",
    "up": "Run everything on this machine, and keep it up.",
    "demo": "Run everything from nothing on embedded parts; ends by itself.",
    "completion": "Print the completion script of a shell.",
}


def main() -> None:
    """Run the command and end the process; no error is shown as a traceback."""
    try:
        from ops.command.root import run  # noqa: PLC0415 - a missing extra is to be one line, not a traceback
    except ModuleNotFoundError as error:
        print(f"lanes: {error.name} is not installed: pip install 'highlevel-lanes[cli]'", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run())
