"""How much processor time a process and all that it started have used, from Linux's `/proc`."""

import os
from pathlib import Path

from benchmarks.figures import BenchmarkError

TICKS = os.sysconf("SC_CLK_TCK")
# Behind the name in /proc/PID/stat (proc(5)), counted from its state: ppid, utime, stime.
PARENT, USER, SYSTEM = 1, 11, 12


def processor_seconds(root: int) -> float:
    """Return the user and system time in seconds of a process and its living descendants.

    Raises:
        BenchmarkError: the process is gone, or this machine has no `/proc`.
    """
    found = {int(path.parent.name): fields for path in Path("/proc").glob("[0-9]*/stat") if (fields := _read(path))}
    if root not in found:
        message = f"process {root} is not in /proc: it ended, or this is not Linux"
        raise BenchmarkError(message)
    family = {root}
    while more := {pid for pid, fields in found.items() if int(fields[PARENT]) in family} - family:
        family |= more
    return sum(int(found[pid][USER]) + int(found[pid][SYSTEM]) for pid in family) / TICKS


def _read(path: Path) -> list[str]:
    """Return the fields after the name, which may hold any character; empty when the process has just ended."""
    try:
        return path.read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
