"""A loop in every worker that writes each entry of the audit log as a log line, which can be shipped elsewhere.

Commands and pages only write the entry. One worker claims it, logs it and acknowledges it. If that worker crashes in
between, another one logs it again.
"""

import logging
from datetime import UTC, datetime

import structlog

from lanes.activity import audit_log
from lanes.queue.store import LaneStore

log = structlog.get_logger()

POLL_SECONDS = 5.0
MAX_CLAIMED = 100


def log_entries(store: LaneStore) -> float:
    """Log the entries that no worker has logged; return the pause until the next call.

    With `LANES_LOG_LEVEL` above info the lines would be dropped, so the entries are left for another worker.
    """
    while log.is_enabled_for(logging.INFO) and (entries := audit_log.claim(store, MAX_CLAIMED)):
        for entry in entries:
            at = datetime.fromtimestamp(entry.at, UTC).isoformat()
            facts = {name: getattr(entry, name) for name in ("who", "user", "what", "on", "detail")}
            log.info("audit_log", entry=entry.id, at=at, **facts)
        audit_log.acknowledge(store, entries)
    return POLL_SECONDS
