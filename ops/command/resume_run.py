"""Resumes single lanes for `lanes resume`."""

from collections.abc import Sequence
from typing import Any

from lanes.printable import printable
from lanes.queue.hold_filter import count_causes
from lanes.queue.lane import Lane
from lanes.times import format_time
from ops.command.console import NO_LANE, pluralize, print_json, say
from ops.command.failures import Refused
from ops.command.session import Session
from ops.command.table import Column, print_table

STOPPED = ("held", "braked")  # the answers of a dry run for lanes that would be resumed
COLUMNS = (Column("location"), Column("since"), Column("pending", right=True), Column("causes"), Column("hold"))


class ResumeRun:
    """Resumes lanes, or only lists them. Ends only the hold or brake that was read, never a newer one."""

    def __init__(self, session: Session, by: str | None, *, dry_run: bool, as_json: bool) -> None:
        self.unknown: list[str] = []
        self._session = session
        self._by = by
        self._dry_run = dry_run
        self._as_json = as_json
        self._answers: list[tuple[Lane, str]] = []

    def resume(self, lanes: Sequence[Lane]) -> None:
        """Resume these lanes, as they were read."""
        for lane in lanes:
            answer = self._resume_one(lane)
            self._answers.append((lane, answer))
            if not self._dry_run:
                self._session.so_far = f"{pluralize(self._count('resumed'), 'lane')} resumed"
            if not (self._dry_run and answer in STOPPED):
                say(self._result_line(lane, answer))

    def _resume_one(self, lane: Lane) -> str:
        if lane.hold is None and lane.brake is None:
            return "free"
        if self._dry_run:
            return "braked" if lane.hold is None else "held"
        if lane.hold is None and lane.brake is not None:
            self._log_change(lane, f"on the brake after {lane.brake.text}")
            answer = self._session.store.end_brake(lane.location_id, lane.brake.since)
            return "resumed" if answer == "ended" else answer
        self._log_change(lane, f"was held by {lane.held_by}")
        return self._session.store.resume(lane.location_id, lane.held_at)

    def _log_change(self, lane: Lane, detail: str) -> None:
        self._session.log_change("resume", lane.location_id, detail, self._by)

    def end(self) -> None:
        """Print the results.

        Raises:
            Refused: a location is unknown, or a lane was stopped again after it was read.
        """
        for location_id in self.unknown:
            say(f"{location_id}: {NO_LANE}")
        if self._as_json:
            print_json([_as_json(lane, answer) for lane, answer in self._answers])
        elif self._dry_run and any(self._count(answer) for answer in STOPPED):
            print_table(COLUMNS, [_row(lane) for lane, answer in self._answers if answer in STOPPED])
        if self._dry_run:
            held = [lane for lane, answer in self._answers if answer == "held"]
            causes = f" ({count_causes(held)})" if held else ""
            found = len(held) + self._count("braked")
            say(f"would resume {pluralize(found, 'lane')}{causes}; nothing was changed")
        problems = [f"{pluralize(len(self.unknown), 'location')} unknown"] if self.unknown else []
        if changed := self._count("changed"):
            problems.append(f"{pluralize(changed, 'lane')} {'was' if changed == 1 else 'were'} stopped again meanwhile")
        if problems:
            raise Refused("; ".join(problems))

    def _count(self, kind: str) -> int:
        return sum(answer == kind for _, answer in self._answers)

    def _result_line(self, lane: Lane, answer: str) -> str:
        location_id = lane.location_id
        if lane.hold is None and lane.brake is not None:
            return {
                "resumed": f"{location_id} resumed (it was on the brake after {lane.brake.text})",
                "free": f"{location_id} is not on the brake any more",
            }.get(answer, f"{location_id}: left unchanged: it went on the brake again meanwhile; see lanes status")
        if answer == "resumed":
            still = f"; it is still on the brake; end that with: lanes resume {location_id}" if lane.brake else ""
            return f"{location_id} resumed (it was held by {holder_text(lane)}){still}"
        if answer == "free":
            return f"{location_id} was not held" if lane.hold is None else f"{location_id} is not held any more"
        by = holder_text(self._session.store.read_lanes([location_id])[0])
        return f"{location_id}: left unchanged: it was held again meanwhile, by {by}"


def stop_text(lane: Lane) -> str:
    """Return what stops a lane, since when, and who or why."""
    if lane.hold is None and lane.brake is not None:
        return f"on the brake since {format_time(lane.brake.since)} after {lane.brake.text}"
    return f"held since {format_time(lane.held_at)} by {holder_text(lane)}"


def holder_text(lane: Lane) -> str:
    """Return who holds a lane, and why, as printable text."""
    return printable(lane.hold_text)


def _row(lane: Lane) -> tuple[object, ...]:
    pending = lane.counts["pending"]
    if lane.hold is None and lane.brake is not None:
        return (lane.location_id, format_time(lane.brake.since), pending, "brake", lane.brake.text)
    return (lane.location_id, format_time(lane.held_at), pending, " ".join(lane.hold_causes), lane.hold_text)


def _as_json(lane: Lane, answer: str) -> dict[str, Any]:
    names = ("location_id", "pending", "hold", "held_by", "held_at", "hold_causes", "unauthorized", "brake")
    return {**{name: value for name, value in lane.as_json().items() if name in names}, "answer": answer}
