"""Each entry of the audit log becomes one log line."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import LogCapture

from lanes.activity import audit_log
from tests.lanes.conftest import ClockedStore
from worker.notifications.audit_log_lines import MAX_CLAIMED, log_entries


@pytest.fixture
def store(redis_url: str) -> Iterator[ClockedStore]:
    store = ClockedStore(redis_url)
    yield store
    store.close()


@pytest.fixture
def lines() -> Iterator[LogCapture]:
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture], cache_logger_on_first_use=False)
    yield capture
    structlog.configure(**before)


def test_each_entry_is_one_line_with_its_fields(store: ClockedStore, lines: LogCapture) -> None:
    entry_id = audit_log.append(store, "grace", "hold", "loc", "to look", user="ada@host")
    for _ in range(2):
        log_entries(store)
    assert audit_log.claim(store, 1, lease=0.0) == []
    [line] = lines.entries
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "event": "audit_log",
        "log_level": "info",
        "entry": entry_id,
        "who": "grace",
        "user": "ada@host",
        "what": "hold",
        "on": "loc",
        "detail": "to look",
    }
    for number in range(MAX_CLAIMED + 1):
        audit_log.append(store, "ana", "hold", f"loc-{number}")
    log_entries(store)
    assert [line["on"] for line in lines.entries[1:]] == [f"loc-{number}" for number in range(MAX_CLAIMED + 1)]


def test_a_level_that_drops_the_lines_leaves_the_entries(store: ClockedStore, lines: LogCapture) -> None:
    audit_log.append(store, "ana", "hold", "loc")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    log_entries(store)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    assert lines.entries == []
    log_entries(store)
    assert [line["on"] for line in lines.entries] == ["loc"]
