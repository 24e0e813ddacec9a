"""What the pages of the dead letters share within one dashboard: the index, and the runs."""

from functools import lru_cache
from threading import Lock
from typing import Any

from lanes.dead_letters.filter import DeadLetterFilter
from lanes.dead_letters.groups import ErrorGroup, group_by_error
from lanes.dead_letters.operations import TimeRange
from lanes.queue.dead_letter_summary import DeadLetterSummary
from lanes.queue.store import LaneStore
from worker.dashboard.dead_letters.bulk_runs import BulkRuns
from worker.dashboard.dead_letters.index import DeadLetterIndex, IndexSnapshot
from worker.dashboard.dead_letters.query import select_dead_letters, sort_dead_letters
from worker.safety.supervisor import Supervisor

_SETTINGS_KEY = "dead_letter_views"
_CACHED_VIEWS = 8  # that are remembered
_creation = Lock()  # one desk, whoever asks first


class DeadLetterViews:
    """The index and the runs; remembers the last views, so that a page is turned without all being looked through."""

    def __init__(self, store: LaneStore, supervisor: Supervisor) -> None:
        self.index = DeadLetterIndex(store, on_dropped=self._drop_all, supervisor=supervisor)
        self.runs = BulkRuns(store, on_finished=self.index.request_refresh)
        self._views = _ViewCache(IndexSnapshot())

    def letters(
        self,
        known: IndexSnapshot,
        dead_letter_filter: DeadLetterFilter,
        time_range: TimeRange,
        sort: str = "died",
        *,
        descending: bool = True,
    ) -> list[DeadLetterSummary]:
        """Return those that a choice and a span take, sorted. Not to be changed."""
        return self._views_of(known).sort_dead_letters(dead_letter_filter, time_range, sort, descending)

    def groups(
        self, known: IndexSnapshot, dead_letter_filter: DeadLetterFilter, time_range: TimeRange
    ) -> list[ErrorGroup]:
        """Return the groups of those, the largest first. Not to be changed."""
        return self._views_of(known).groups(dead_letter_filter, time_range)

    def _views_of(self, known: IndexSnapshot) -> "_ViewCache":
        views = self._views
        if views.version != known.version:
            views = self._views = _ViewCache(known)
        return views

    def _drop_all(self) -> None:
        self._views = _ViewCache(IndexSnapshot())


class _ViewCache:
    """The last views of what was known at one moment."""

    def __init__(self, known: IndexSnapshot) -> None:
        self.version = known.version
        letters = known.letters

        @lru_cache(_CACHED_VIEWS)
        def matching(dead_letter_filter: DeadLetterFilter, time_range: TimeRange) -> list[DeadLetterSummary]:
            return select_dead_letters(letters, dead_letter_filter, time_range)

        @lru_cache(_CACHED_VIEWS)
        def in_order(
            dead_letter_filter: DeadLetterFilter, time_range: TimeRange, sort: str, descending: bool
        ) -> list[DeadLetterSummary]:
            return sort_dead_letters(matching(dead_letter_filter, time_range), sort, descending=descending)

        @lru_cache(_CACHED_VIEWS)
        def grouped(dead_letter_filter: DeadLetterFilter, time_range: TimeRange) -> list[ErrorGroup]:
            return group_by_error(reversed(matching(dead_letter_filter, time_range)))

        self.sort_dead_letters = in_order
        self.groups = grouped


def views_of(settings: dict[str, Any], store: LaneStore, supervisor: Supervisor) -> DeadLetterViews:
    """Return the desk of a dashboard, which keeps it among the settings of its application."""
    with _creation:
        if _SETTINGS_KEY not in settings:
            settings[_SETTINGS_KEY] = DeadLetterViews(store, supervisor)
    views: DeadLetterViews = settings[_SETTINGS_KEY]
    return views
