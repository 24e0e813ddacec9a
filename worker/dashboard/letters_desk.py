"""What the pages of the dead letters share within one dashboard: the index, and the runs."""

from functools import lru_cache
from threading import Lock
from typing import Any

from lanes.letter_choice import Choice
from lanes.letter_groups import Group, group
from lanes.letter_summary import Summary
from lanes.letters import Span
from lanes.store import LaneStore
from worker.dashboard.letter_index import Known, LetterIndex
from worker.dashboard.letter_runs import Runs
from worker.dashboard.letter_views import chosen, ordered

_NAME = "letters_desk"
_VIEWS = 8  # that are remembered
_made = Lock()  # one desk, whoever asks first


class Desk:
    """The index and the runs; remembers the last views, so that a page is turned without all being looked through."""

    def __init__(self, store: LaneStore) -> None:
        self.index = LetterIndex(store, forgotten=self._forget)
        self.runs = Runs(store, moved=self.index.ask)
        self._views = _Views(Known())

    def letters(
        self, known: Known, choice: Choice, span: Span, sort: str = "died", *, down: bool = True
    ) -> list[Summary]:
        """Return those that a choice and a span take, sorted. Not to be changed."""
        return self._views_of(known).ordered(choice, span, sort, down)

    def groups(self, known: Known, choice: Choice, span: Span) -> list[Group]:
        """Return the groups of those, the largest first. Not to be changed."""
        return self._views_of(known).groups(choice, span)

    def _views_of(self, known: Known) -> "_Views":
        views = self._views
        if views.version != known.version:
            views = self._views = _Views(known)
        return views

    def _forget(self) -> None:
        self._views = _Views(Known())


class _Views:
    """The last views of what was known at one moment."""

    def __init__(self, known: Known) -> None:
        self.version = known.version
        letters = known.letters

        @lru_cache(_VIEWS)
        def taken(choice: Choice, span: Span) -> list[Summary]:
            return chosen(letters, choice, span)

        @lru_cache(_VIEWS)
        def in_order(choice: Choice, span: Span, sort: str, down: bool) -> list[Summary]:
            return ordered(taken(choice, span), sort, down=down)

        @lru_cache(_VIEWS)
        def grouped(choice: Choice, span: Span) -> list[Group]:
            return group(reversed(taken(choice, span)))

        self.ordered = in_order
        self.groups = grouped


def desk_of(settings: dict[str, Any], store: LaneStore) -> Desk:
    """Return the desk of a dashboard, which keeps it among the settings of its application."""
    with _made:
        if _NAME not in settings:
            settings[_NAME] = Desk(store)
    desk: Desk = settings[_NAME]
    return desk
