"""The trail: who changed what by hand, the newest of it."""

from dataclasses import dataclass

from lanes.queue.store import LaneStore
from lanes.storage.stored import JsonMixin


@dataclass(frozen=True, slots=True)
class AuditLogEntry(JsonMixin):
    """Somebody changed something, or was about to: the entry is written first.

    Args:
        id: names the entry, and orders it among the others.
        at: when, seconds since the epoch by the clock of Redis.
        who: the user, as the page or the command knew him.
        what: a verb: hold, resume, limit, edit, replay, purge, export, reveal, cancel ...
        on: a location, a job, or what was chosen.
        detail: more about it, such as a reason; never an opportunity's content.
    """

    id: str
    at: float
    who: str
    what: str
    on: str
    detail: str


def append(store: LaneStore, who: str, what: str, on: str, detail: str = "") -> str:
    """Write an entry down, before the change itself, so that no change is without one; return its id."""
    return store.append_audit_log(who, what, on, detail)


def read(store: LaneStore, max_count: int = 100, before: str | None = None) -> list[AuditLogEntry]:
    """Return the newest entries, the newest first; with `before`, those that are older than that entry."""
    last = "+" if before is None else f"({before}"
    found = store.read(lambda client: client.xrevrange(store.key("audit_log"), max=last, count=max_count))
    return [
        _entry(entry_id.decode(), {name.decode(): value.decode() for name, value in fields.items()})
        for entry_id, fields in found
    ]


def _entry(entry_id: str, fields: dict[str, str]) -> AuditLogEntry:
    at = int(entry_id.split("-", maxsplit=1)[0]) / 1000
    return AuditLogEntry(entry_id, at, fields["who"], fields["what"], fields["on"], fields["detail"])
