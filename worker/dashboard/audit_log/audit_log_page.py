"""The audit log page: who changed what by hand, or looked at content, on a page or by a command."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from tornado.web import HTTPError, url

from lanes.activity import audit_log
from lanes.activity.audit_log import AuditLogEntry
from lanes.queue.store import LaneStore
from worker.dashboard.page import Page

ROWS = 50
CHUNK = 500
# Actions on a lane. The others are on jobs.
LANE_ACTIONS = ("hold", "resume", "limit")


class AuditLogPage(Page):
    """The page."""

    def get(self) -> None:
        """Show the page; the entries come as data."""
        self.show("audit_log.html", active="audit_log")


class AuditLogData(Page):
    """Its entries: `who` and `what` filter them, `before` is the last entry of the previous page."""

    async def get(self) -> None:
        """Send a page of entries, and where the next page begins."""
        who, what, before = self.argument("who"), self.argument("what"), self.argument("before")
        if before and not _is_entry_id(before):
            raise HTTPError(400, "before: is not the id of an entry")
        found = await self.run_in_thread(lambda: list(islice(entries(self.store, who, what, before), ROWS + 1)))
        rows = found[:ROWS]
        self.send_json({"entries": [self._row(entry) for entry in rows], "next": rows[-1].id if found[ROWS:] else None})

    def _row(self, entry: AuditLogEntry) -> dict[str, Any]:
        # A single word is a name; the text of a filter has several words.
        single = entry.on.replace("-", "").replace("_", "").isalnum()
        name = "lane" if entry.what in LANE_ACTIONS else "job"
        return {**entry.as_json(), "who": entry.person, "url": self.page_url(name, entry.on) if single else None}


def entries(store: LaneStore, who: str, what: str, before: str) -> Iterator[AuditLogEntry]:
    """Yield the entries that match, the newest first. The filters are parts of the names, in any case."""
    last = before or None
    while page := audit_log.read(store, CHUNK, last):
        yield from (
            entry for entry in page if who.lower() in entry.person.lower() and what.lower() in entry.what.lower()
        )
        last = page[-1].id


def _is_entry_id(text: str) -> bool:
    """Return whether this is `milliseconds-number`, an id of a Redis stream, each with 64 bits."""
    parts = text.split("-")
    numbers = text.isascii() and all(part.isdigit() and len(part) <= 20 for part in parts)
    return numbers and len(parts) == 2 and max(map(int, parts)) < 1 << 64


handlers: list[url] = [
    url(r"/audit-log", AuditLogPage, name="audit_log"),
    url(r"/audit-log/data", AuditLogData, name="audit_log_data"),
]
