"""A producer's journal on disk: a line for each answer of the lanes. Times are monotonic seconds."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos.traffic import RecordKind, Row


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    """A job that was acknowledged, by a call that began at `asked_at`. `cancelled` when the lanes said that it was."""

    uid: str
    job_id: str
    kind: RecordKind
    location: str
    contact: str
    n: int
    asked_at: float
    acked_at: float
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class JournalContents:
    """The contents of a run's journals: accepted jobs, the count of each typed error, and unexpected errors."""

    accepted_jobs: tuple[AcceptedJob, ...]
    refusals: dict[str, int]
    unexpected: tuple[str, ...]
    longest_call: float


class Journal:
    """Appends to the file of one producer; each line is with the kernel before the next call goes out."""

    def __init__(self, path: Path) -> None:
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._file.write("\n" if torn else "")

    def acknowledged(self, row: Row, job_id: str, asked_at: float) -> None:
        """The lanes have the job."""
        self._write(
            what="ack",
            uid=row.uid,
            job_id=job_id,
            kind=row.kind,
            location=row.location,
            contact=row.contact,
            n=row.n,
            asked_at=asked_at,
            acked_at=time.monotonic(),
        )

    def cancelled(self, row: Row) -> None:
        """The lanes said that the job was taken back."""
        self._write(what="cancelled", uid=row.uid)

    def refused(self, error: Exception, asked_at: float) -> None:
        """The lanes could not take it, and said so."""
        self._write(what="refused", error=type(error).__name__, seconds=time.monotonic() - asked_at)

    def unexpected_error(self, error: BaseException) -> None:
        """Something came that no producer has to reckon with."""
        self._write(what="surprise", error=f"{type(error).__name__}: {error}")

    def _write(self, **fields: Any) -> None:
        self._file.write(json.dumps(fields) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a journal; a line that a kill cut off does not count."""
    if not path.exists():
        return
    for line in path.read_text("utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def read(paths: Iterable[Path]) -> JournalContents:
    """Read the journals of all producers; the last entry counts of a job accepted twice (the lanes were emptied)."""
    accepted_jobs: dict[str, dict[str, Any]] = {}
    cancelled: set[str] = set()
    refusals: dict[str, int] = {}
    unexpected: list[str] = []
    longest = 0.0
    for path in paths:
        for line in lines(path):
            match line.pop("what"):
                case "ack":
                    accepted_jobs[line["uid"]] = line
                case "cancelled":
                    cancelled.add(line["uid"])
                case "refused":
                    refusals[line["error"]] = refusals.get(line["error"], 0) + 1
                    longest = max(longest, line["seconds"])
                case _:
                    unexpected.append(line["error"])
    found = [
        AcceptedJob(**{**line, "kind": RecordKind(line["kind"])}, cancelled=uid in cancelled)
        for uid, line in accepted_jobs.items()
    ]
    return JournalContents(tuple(found), refusals, tuple(unexpected), longest)


def recent(path: Path, max_count: int) -> list[str]:
    """Return the ids of the jobs that were acknowledged last."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 300 * max_count))
        found = file.read().decode("utf-8", "replace").splitlines()[1:]
    return [json.loads(line)["job_id"] for line in found if line.endswith("}") and '"what": "ack"' in line][-max_count:]
