"""The audit log: who changed what."""

from dataclasses import dataclass

from lanes.queue.store import LaneStore
from lanes.storage.stored import MAX_NUMBER, JsonMixin, StoredHash


@dataclass(frozen=True, slots=True)
class AuditLogEntry(JsonMixin):
    """A change by a person. The entry is written before the change. `id` orders the entries.

    `at` is in seconds since the epoch by the clock of Redis, `who` the user of the page or the command, `what` a verb
    (hold, resume, limit, edit, replay, purge, export, reveal, cancel ...), `on` a location, a job or a filter. `detail`
    is for example a reason, never an opportunity's content.
    """

    id: str
    at: float
    who: str
    what: str
    on: str
    detail: str


def append(store: LaneStore, who: str, what: str, on: str, detail: str = "") -> str:
    """Write an entry before a change, so that no change is without one; return its id."""
    return store.append_audit_log(who, what, on, detail)


def read(store: LaneStore, max_count: int = 100, before: str | None = None) -> list[AuditLogEntry]:
    """Return the newest entries, the newest first; with `before`, those older than that entry."""
    last = "+" if before is None else f"({before}"
    missing: list[tuple[bytes, dict[bytes, bytes] | None]] = []
    found = store.read_key(
        missing, store.key("audit_log"), lambda client, key: client.xrevrange(key, max=last, count=max_count)
    )
    return [_entry(entry_id.decode(), StoredHash(fields or {})) for entry_id, fields in found]


def _entry(entry_id: str, fields: StoredHash) -> AuditLogEntry:
    at = min(int(entry_id.split("-", maxsplit=1)[0]), MAX_NUMBER // 1000) / 1000
    return AuditLogEntry(entry_id, at, *(fields.text(name) or "" for name in ("who", "what", "on", "detail")))
