"""Mends what an audit found. Each step is one script that looks again before it writes: others may be at work."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lanes.audit_counts import recount
from lanes.audit_store import AuditStore
from lanes.finding import Finding, Mend
from lanes.job import MICROSECONDS, Attempt, Reason
from lanes.letter import Letter
from lanes.order import Order
from lanes.store import LaneStore

# Counts that change all the time are read and written so often, until nothing came in between.
TRIES = 100

# Makes an order of a body, for a job of which only that is left; None where it cannot be read.
Read = Callable[[str, bytes], Order | None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a lost lease, a lost slot and a job that is done get, in seconds."""

    lease: float
    window: float
    retention: float


class Repairer:
    """Mends findings of `audit`."""

    def __init__(self, store: LaneStore, terms: Terms, read: Read) -> None:
        self._store = store
        self._audit = AuditStore(store)
        self._terms = (
            round(terms.lease * MICROSECONDS),
            round(terms.window * MICROSECONDS),
            round(terms.retention * 1000),
        )
        self._read = read

    def mend(self, finding: Finding) -> str:
        """Mend a finding; return `mended`, or in one word why there was nothing to mend, or why it could not be."""
        mend = finding.mend
        if mend is None:
            return "by hand"
        if mend.script == "mend_job":
            return self._mend_job(mend)
        if mend.script == "mend_counts":
            return self._mend_counts(str(mend.arguments[0]), finding.text)
        answer: bytes = self._store.run(mend.script, *mend.arguments)
        return answer.decode()

    def _mend_job(self, mend: Mend) -> str:
        job_id = str(mend.arguments[0])
        answer = self._audit.mend_job(job_id, *self._terms, "", "")
        if answer not in ("body", "unreadable"):
            return answer
        body = self._store.read(lambda client: client.get(self._store.key("body", job_id)))
        order = self._read(job_id, body) if body else None
        if order is None:
            return "unreadable"
        if answer == "body":
            return self._save(replace(order, id=job_id, body=body))
        return self._audit.mend_job(job_id, *self._terms, order.location_id, order.record)

    def _mend_counts(self, location: str, text: str) -> str:
        """Count anew and write it at once, again and again while jobs move in between."""
        letters = any(word in text for word in ("dead says", "expired says"))
        for _ in range(TRIES):
            finding = recount(self._audit, location, letters=letters)
            if finding is None or finding.mend is None:
                return "sound"
            answer: bytes = self._store.run("mend_counts", *finding.mend.arguments)
            if answer != b"changed":
                return answer.decode()
        return "changed"

    def _save(self, order: Order) -> str:
        """Make a dead letter of a body whose job is gone: whether it was sent is not known, so a person decides."""
        seconds, micros = self._store.read(lambda client: client.time())
        now = seconds + micros / MICROSECONDS
        attempts = self._store.read(lambda client: client.llen(self._store.key("attempts", order.id)))
        why = {"message": "the job was gone but for its body; what became of it is not known"}
        letter = Letter(order, Reason.REFUSED, now, now, (Attempt(attempts + 1, "lost", now, now, why),))
        answer = self._store.restore(letter)
        return "mended" if answer == "restored" else answer
