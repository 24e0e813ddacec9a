"""What the pool processes of a worker tell its main process about their sender threads."""

import mmap
from dataclasses import dataclass

MAX_PROCESSES = 256
FIELDS = ("threads", "busy", "waiting", "starved", "cpu_seconds")


@dataclass(frozen=True, slots=True)
class ProcessGauges:
    """The gauges of one process, which alone sets them. `cells`: a number for each of FIELDS.

    `threads` that exist, `busy` ones, `waiting`: 1 while one waits for a job, `starved`: 1 when another thread would
    wait for this process (see `SenderPool`), `cpu_seconds` that the process has used.
    """

    cells: "memoryview[float]"

    def set(self, **values: float) -> None:
        """Set some of them."""
        for name, value in values.items():
            self.cells[FIELDS.index(name)] = value

    def get(self, name: str) -> float:
        """Return one of them."""
        return self.cells[FIELDS.index(name)]


class SenderGauges:
    """The gauges of all processes of a worker, in memory that is shared with processes forked later."""

    def __init__(self) -> None:
        cells = memoryview(mmap.mmap(-1, MAX_PROCESSES * len(FIELDS) * 8)).cast("d")
        self._processes = [
            ProcessGauges(cells[start : start + len(FIELDS)]) for start in range(0, len(cells), len(FIELDS))
        ]

    def of_process(self, index: int) -> ProcessGauges:
        """Return the gauges of the pool process with this index, all zero: a process that died left its own."""
        gauges = self._processes[index % MAX_PROCESSES]
        gauges.set(**dict.fromkeys(FIELDS, 0.0))
        return gauges

    @property
    def used(self) -> list[ProcessGauges]:
        """The gauges of the processes that have had sender threads."""
        return [gauges for gauges in self._processes if gauges.get("threads")]

    @property
    def is_waited(self) -> bool:
        """Whether a sender thread waits for a job in any process."""
        return any(gauges.get("waiting") for gauges in self._processes)
