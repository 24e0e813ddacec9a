"""What the dead-letter pages of a dashboard share: the index, its cached views, and the bulk runs."""

from functools import lru_cache
from threading import Lock

from lanes.dead_letters.filter import DeadLetterFilter
from lanes.dead_letters.groups import ErrorGroup, group_by_error
from lanes.dead_letters.operations import TimeRange
from lanes.queue.dead_letter_summary import DeadLetterSummary
from lanes.queue.store import LaneStore
from worker.dashboard.dead_letters.bulk_runs import BulkRuns
from worker.dashboard.dead_letters.index import DeadLetterIndex, IndexSnapshot
from worker.dashboard.dead_letters.query import select_dead_letters, sort_dead_letters
from worker.dashboard.page import Page
from worker.safety.supervisor import Supervisor

_SETTINGS_KEY = "dead_letter_views"
_CACHED_VIEWS = 8
_creation = Lock()


class DeadLetterViews:
    """The index and the bulk runs. The last views are cached, so that paging does not filter all dead letters again."""

    def __init__(self, store: LaneStore, supervisor: Supervisor) -> None:
        self.index = DeadLetterIndex(store, on_dropped=self._drop_all, supervisor=supervisor)
        self.runs = BulkRuns(store, on_finished=self.index.request_refresh)
        self._views = _ViewCache(IndexSnapshot())

    def letters(
        self,
        known: IndexSnapshot,
        dead_letter_filter: DeadLetterFilter,
        time_range: TimeRange,
        sort: str = "failed_at",
        *,
        descending: bool = True,
    ) -> list[DeadLetterSummary]:
        """Return the dead letters that match, sorted. Do not change the list."""
        return self._views_of(known).sort_dead_letters(dead_letter_filter, time_range, sort, descending)

    def groups(
        self, known: IndexSnapshot, dead_letter_filter: DeadLetterFilter, time_range: TimeRange
    ) -> list[ErrorGroup]:
        """Return their groups, the largest first. Do not change the list."""
        return self._views_of(known).groups(dead_letter_filter, time_range)

    def _views_of(self, known: IndexSnapshot) -> "_ViewCache":
        views = self._views
        if views.version != known.version:
            views = self._views = _ViewCache(known)
        return views

    def _drop_all(self) -> None:
        self._views = _ViewCache(IndexSnapshot())


class _ViewCache:
    """The last views of one snapshot of the index."""

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


def views_of(page: Page) -> DeadLetterViews:
    """Return the views of a dashboard, which are kept in the settings of its application."""
    settings = page.application.settings
    with _creation:
        if _SETTINGS_KEY not in settings:
            settings[_SETTINGS_KEY] = DeadLetterViews(page.store, page.dashboard.supervisor)
    views: DeadLetterViews = settings[_SETTINGS_KEY]
    return views
