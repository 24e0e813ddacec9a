"""The audit log: who changed what, and who looked at content.

Every entry is also a log line: the workers claim each entry, log it and acknowledge it, by a consumer group of the
stream.
"""

from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from lanes.queue.store import LaneStore
from lanes.storage.stored import MAX_NUMBER, JsonMixin, StoredHash

GROUP = "log"
CONSUMER = "workers"  # one for all: a claimed entry that is not acknowledged is claimed again by any worker
CLAIM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class AuditLogEntry(JsonMixin):
    """An action of a person. The entry is written before the action. `id` orders the entries.

    `at` is in seconds since the epoch by the clock of Redis. `who` is the login of the page, or the name given with
    `--by`, by default the user. `what` is a verb (hold, resume, limit, edit, replay, purge, export, reveal, cancel ...)
    or a path of Flower's API, `on` a location, a job or a filter. `detail` is for example a reason, never an
    opportunity's content. `user` is the login, or the user of the system and the host on which the command ran.
    """

    id: str
    at: float
    who: str
    what: str
    on: str
    detail: str
    user: str = ""

    @property
    def person(self) -> str:
        """The name, with the user beside it if that is another."""
        return self.who if self.user in ("", self.who) else f"{self.who} ({self.user})"


def append(store: LaneStore, who: str, what: str, on: str, detail: str = "", *, user: str = "") -> str:
    """Write an entry before an action, so that no action is without one; return its id. `user` is `who` by default."""
    return store.append_audit_log(who, what, on, detail, user or who)


def read(store: LaneStore, max_count: int = 100, before: str | None = None) -> list[AuditLogEntry]:
    """Return the newest entries, the newest first; with `before`, those older than that entry."""
    last = "+" if before is None else f"({before}"
    missing: list[tuple[bytes, dict[bytes, bytes] | None]] = []
    found = store.read_key(
        missing, store.key("audit_log"), lambda client, key: client.xrevrange(key, max=last, count=max_count)
    )
    return [_entry(entry_id, fields or {}) for entry_id, fields in found]


def claim(store: LaneStore, max_count: int, lease: float = CLAIM_SECONDS) -> list[AuditLogEntry]:
    """Return the oldest entries that are not acknowledged, each to one worker at a time: for `lease` seconds."""
    key = store.key("audit_log")

    def ask(client: Any) -> list[Any]:
        if not client.exists(key):
            return []
        try:
            return _claim(client, key, max_count, lease)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
        try:
            client.xgroup_create(key, GROUP, id="0")
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):  # another worker has just created it
                raise
        return _claim(client, key, max_count, lease)

    return [_entry(entry_id, fields) for entry_id, fields in store.read(ask)]


def acknowledge(store: LaneStore, entries: list[AuditLogEntry]) -> None:
    """Note that entries are logged: they are not claimed again."""
    store.read(lambda client: client.xack(store.key("audit_log"), GROUP, *(entry.id for entry in entries)))


def _claim(client: Any, key: str, max_count: int, lease: float) -> list[Any]:
    """Return entries whose claim has ended, or else new ones."""
    unacknowledged = client.xautoclaim(key, GROUP, CONSUMER, round(lease * 1000), count=max_count)[1]
    found = [entry for entry in unacknowledged if entry[0] is not None and entry[1]]  # not trimmed meanwhile
    if found:
        return found
    streams = client.xreadgroup(GROUP, CONSUMER, {key: ">"}, count=max_count)
    return streams[0][1] if streams else []


def _entry(entry_id: bytes, stored: dict[bytes, bytes]) -> AuditLogEntry:
    at = min(int(entry_id.split(b"-", maxsplit=1)[0]), MAX_NUMBER // 1000) / 1000
    fields = StoredHash(stored)
    who, what, on, detail, user = (fields.text(name) or "" for name in ("who", "what", "on", "detail", "user"))
    return AuditLogEntry(entry_id.decode(), at, who, what, on, detail, user or who)
