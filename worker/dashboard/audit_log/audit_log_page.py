"""The trail: who changed what, by hand, on the pages or by the command."""

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
# Verbs whose entry names a lane; others name a job, where they name one thing.
LANE_ACTIONS = ("hold", "resume", "limit")


class AuditLogPage(Page):
    """The page."""

    def get(self) -> None:
        """Show it."""
        self.show("audit_log.html", active="audit_log")


class AuditLogData(Page):
    """Its entries: `who` and `what` choose by name, `before` goes on behind an entry."""

    async def get(self) -> None:
        """Answer them, and where the next page begins."""
        who, what, before = self.argument("who"), self.argument("what"), self.argument("before")
        if before and not _is_entry_id(before):
            raise HTTPError(400, "before is no id of an entry")
        found = await self.run_in_thread(lambda: list(islice(entries(self.store, who, what, before), ROWS + 1)))
        rows = found[:ROWS]
        self.send_json({"entries": [self._row(entry) for entry in rows], "next": rows[-1].id if found[ROWS:] else None})

    def _row(self, entry: AuditLogEntry) -> dict[str, Any]:
        # A single word is a name; what was chosen by filters has several.
        single = entry.on.replace("-", "").replace("_", "").isalnum()
        name = "lane" if entry.what in LANE_ACTIONS else "job"
        return {**entry.as_json(), "url": self.page_url(name, entry.on) if single else None}


def entries(store: LaneStore, who: str, what: str, before: str) -> Iterator[AuditLogEntry]:
    """Yield the entries in whose names these texts stand, the newest first."""
    last = before or None
    while page := audit_log.read(store, CHUNK, last):
        yield from (entry for entry in page if who.lower() in entry.who.lower() and what.lower() in entry.what.lower())
        last = page[-1].id


def _is_entry_id(text: str) -> bool:
    """Return whether this is `milliseconds-number`, as Redis names entries; each has 64 bits."""
    parts = text.split("-")
    numbers = text.isascii() and all(part.isdigit() and len(part) <= 20 for part in parts)
    return numbers and len(parts) == 2 and max(map(int, parts)) < 1 << 64


handlers: list[url] = [
    url(r"/audit-log", AuditLogPage, name="audit_log"),
    url(r"/audit-log/data", AuditLogData, name="audit_log_data"),
]
