"""Mends what an audit found. Each step is one script that looks again before it writes: others may be at work."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lanes.checks.check_store import CheckStore
from lanes.checks.counts import recount
from lanes.checks.finding import Finding, Repair
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.storage.stored import MICROSECONDS

# Counts that change all the time are read and written so often, until nothing came in between.
TRIES = 100

# Makes an order of a body, for a job of which only that is left; None where it cannot be read.
ReadBody = Callable[[str, bytes], NewJob | None]


@dataclass(frozen=True, slots=True)
class RepairDefaults:
    """What a lost lease, a lost slot and a job that is done get, in seconds."""

    lease: float
    window: float
    retention: float


class Repairer:
    """Mends findings of `check_consistency`."""

    def __init__(self, store: LaneStore, terms: RepairDefaults, read: ReadBody) -> None:
        self._store = store
        self._audit = CheckStore(store)
        self._terms = (
            round(terms.lease * MICROSECONDS),
            round(terms.window * MICROSECONDS),
            round(terms.retention * 1000),
        )
        self._read = read

    def repair(self, finding: Finding) -> str:
        """Mend a finding; return `repaired`, or in one word why there was nothing to mend, or why it could not be."""
        repair = finding.repair
        if repair is None:
            return "by hand"
        if repair.script == "repair_job":
            return self._repair_job(repair)
        if repair.script == "repair_counts":
            return self._repair_counts(str(repair.arguments[0]), finding.text)
        return self._audit.repair(repair.script, *repair.arguments)

    def _repair_job(self, repair: Repair) -> str:
        job_id = str(repair.arguments[0])
        answer = self._audit.repair_job(job_id, *self._terms, "", "")
        if answer not in ("body", "unreadable"):
            return answer
        body = self._store.read(lambda client: client.get(self._store.key("body", job_id)))
        new_job = self._read(job_id, body) if body else None
        if new_job is None:
            return "unreadable"
        if answer == "body":
            return self._save(replace(new_job, id=job_id, body=body))
        return self._audit.repair_job(job_id, *self._terms, new_job.location_id, new_job.record)

    def _repair_counts(self, location: str, text: str) -> str:
        """Count anew and write it at once, again and again while jobs move in between."""
        dead_letters = any(word in text for word in ("dead says", "expired says"))
        for _ in range(TRIES):
            finding = recount(self._audit, location, dead_letters=dead_letters)
            if finding is None or finding.repair is None:
                return "consistent"
            answer = self._audit.repair("repair_counts", *finding.repair.arguments)
            if answer != "changed":
                return answer
        return "changed"

    def _save(self, new_job: NewJob) -> str:
        """Make a dead letter of a body whose job is gone: whether it was sent is not known, so a person decides."""
        seconds, micros = self._store.read(lambda client: client.time())
        now = seconds + micros / MICROSECONDS
        attempts = self._store.read(lambda client: client.llen(self._store.key("attempts", new_job.id)))
        why = {"message": "the job was gone but for its body; what became of it is not known"}
        dead_letter = DeadLetter(new_job, Reason.REFUSED, now, now, (Attempt(attempts + 1, "lost", now, now, why),))
        answer = self._store.restore(dead_letter)
        return "repaired" if answer == "restored" else answer
