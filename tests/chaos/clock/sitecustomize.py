"""Read by every Python process of a worker: its wall clock is off by the seconds that stand in `CHAOS_CLOCK` (a file).

Only `time.time` and `time.time_ns` are, which is what Python code asks; what C code asks the system is not.
"""

import os
import time

_path = os.environ.get("CHAOS_CLOCK")
_time, _time_ns = time.time, time.time_ns


def _shift() -> float:
    try:
        with open(_path or "", encoding="ascii") as file:  # noqa: PTH123 - runs before anything else is imported
            return float(file.read() or 0)
    except (OSError, ValueError):
        return 0.0


if _path:
    time.time = lambda: _time() + _shift()
    time.time_ns = lambda: _time_ns() + round(_shift() * 1e9)
