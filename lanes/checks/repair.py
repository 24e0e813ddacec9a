"""Repairs findings. Each step is one script that checks again before it writes, because workers may be running."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lanes.checks.check_store import CheckStore
from lanes.checks.counts import recount
from lanes.checks.finding import Finding, Repair
from lanes.checks.services import recount_services
from lanes.errors import ScriptError
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.storage.stored import MICROSECONDS

# How often counts are recounted until they did not change meanwhile.
TRIES = 100
SERVICE_TRIES = 3  # each is a pass over all jobs

# Makes a new job of the body of a job that is gone; None if it cannot be read.
ReadBody = Callable[[str, bytes], NewJob | None]


@dataclass(frozen=True, slots=True)
class RepairDefaults:
    """Seconds for a missing lease, a missing rate slot and the retention of a finished job."""

    lease: float
    window: float
    retention: float


class Repairer:
    """Repairs findings of `check_consistency`."""

    def __init__(self, store: LaneStore, defaults: RepairDefaults, read: ReadBody) -> None:
        self._store = store
        self._checks = CheckStore(store)
        lease, window = (round(seconds * MICROSECONDS) for seconds in (defaults.lease, defaults.window))
        self._defaults = (lease, window, round(defaults.retention * 1000))
        self._read = read

    def repair(self, finding: Finding) -> str:
        """Repair a finding; return `repaired`, or in a word why not.

        `broken`: another key that it needs cannot be read; once that is repaired, another repair continues.
        """
        try:
            return self._repair(finding)
        except ScriptError:
            return "broken"

    def _repair(self, finding: Finding) -> str:
        repair = finding.repair
        if repair is None:
            return "by hand"
        if repair.script == "repair_job":
            return self._repair_job(repair)
        if repair.script == "repair_counts":
            return self._repair_counts(str(repair.arguments[0]), finding.text)
        if repair.script == "repair_service":
            return self._repair_service(str(repair.arguments[0]))
        return self._checks.repair(repair.script, *repair.arguments)

    def _repair_job(self, repair: Repair) -> str:
        job_id = str(repair.arguments[0])
        answer = self._checks.repair("repair_job", job_id, *self._defaults, "", "")
        if answer not in ("body", "unreadable"):
            return answer
        body = self._store.stored_body(job_id)
        new_job = self._read(job_id, body) if body else None
        if new_job is None or body is None:
            # Nothing says to which lane it belongs. It is kept under another name.
            kind = "job" if answer == "unreadable" else "body"
            return self._checks.repair("repair_key", self._store.key(kind, job_id), f"{kind}:{job_id}", "")
        if answer == "body":
            return self._save(replace(new_job, id=job_id, body=body))
        return self._checks.repair("repair_job", job_id, *self._defaults, new_job.location_id, new_job.record)

    def _repair_counts(self, location: str, text: str) -> str:
        """Recount and write, again while jobs move in between."""
        dead_letters = any(word in text for word in ("dead is", "expired is"))
        for _ in range(TRIES):
            finding = recount(self._checks, location, dead_letters=dead_letters)
            if finding is None or finding.repair is None:
                return "consistent"
            answer = self._checks.repair("repair_counts", *finding.repair.arguments)
            if answer != "changed":
                return answer
        return "changed"

    def _repair_service(self, name: str) -> str:
        """Count the jobs of a service again and write, again while jobs move in between."""
        for _ in range(SERVICE_TRIES):
            finding = next(recount_services(self._store, [name]), None)
            if finding is None:
                return "consistent"
            if finding.repair is not None:
                answer = self._checks.repair("repair_service", *finding.repair.arguments)
                if answer != "changed":
                    return answer
        return "changed"

    def _save(self, new_job: NewJob) -> str:
        """Make a dead letter of a body whose job is gone. It is unknown whether it was sent, so a person decides."""
        now = self._store.time()
        attempts = self._store.read_key(
            0, self._store.key("attempts", new_job.id), lambda client, key: client.llen(key)
        )
        detail = {"message": "only the body of the job was left; its state is unknown"}
        dead_letter = DeadLetter(new_job, Reason.REFUSED, now, now, (Attempt(attempts + 1, "lost", now, now, detail),))
        answer = self._store.restore(dead_letter)
        return "repaired" if answer == "restored" else answer
