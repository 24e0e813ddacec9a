"""The command `lanes`. Each command is a line here and a click command of that name in a module of that name."""

import gc
import sys

# The commands with their help texts. A module is imported only when its command runs: `lanes status` starts fast and
# needs the extra `cli` only.
COMMANDS = {
    "enqueue": "Enqueue the rows of a file.",
    "status": "Show counts, in total and per location.",
    "job": "Show a job and its attempts.",
    "cancel": "Cancel pending jobs.",
    "dead": "List, show, edit, replay, export and purge dead letters.",
    "hold": "Hold the lane of a location, or all lanes.",
    "resume": "Resume held lanes.",
    "notify": "Send a test notification.",
    "limit": "Show or set the rate limits and the weight of a location.",
    "forget": "Remove lanes that are no longer needed.",
    "token": "Store, list and remove the tokens of locations.",
    "service": "Add, list and remove services: their quotas and their keys.",
    "audit-log": "Show who changed what by hand, or looked at content.",
    "check": "Check Redis and the consistency of its data; repair them.",
    "backup": "Back up Redis to a file, without stopping anything.",
    "restore": "Restore a backup into an empty Redis folder.",
    "sandbox": "Run a server that behaves like HighLevel.",
    "dashboard": "Serve Flower with pages for throughput, lanes, dead letters and jobs.",
    "gateway": "Serve the HTTP API for services in any language.",
    "up": "Run everything on this machine until Ctrl-C.",
    "demo": "Run everything on this machine with sample data; ends automatically.",
    "completion": "Print the completion script of a shell.",
}
# New objects after which garbage is looked for; by default 700 or 2,000. The lanes and rows of a command are many more.
GC_THRESHOLD = 20_000


def main() -> None:
    """Run the command and end the process. Errors are shown without a traceback."""
    gc.disable()  # what the imports make stays: to look for garbage in it is a twentieth of the start of a command
    try:
        from ops.command.root import run  # noqa: PLC0415 - a missing extra is reported in one line
    except ModuleNotFoundError as error:
        print(f"lanes: {error.name} is not installed: pip install 'highlevel-lanes[cli]'", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    gc.enable()
    sys.exit(run())
