"""What the pages of the dead letters share within one dashboard: the index, and the runs."""

from dataclasses import dataclass
from functools import lru_cache
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


class Desk:
    """The index and the runs; remembers the last views, so that a page is turned without all being looked through."""

    def __init__(self, store: LaneStore) -> None:
        self.index = LetterIndex(store)
        self.runs = Runs(store)
        self._chosen = lru_cache(maxsize=8)(self._choose)
        self._ordered = lru_cache(maxsize=8)(self._order)
        self._groups = lru_cache(maxsize=8)(self._group)

    def letters(
        self, known: Known, choice: Choice, span: Span, sort: str = "died", *, down: bool = True
    ) -> list[Summary]:
        """Return those that a choice and a span take, sorted. Not to be changed."""
        return self._ordered(_Seen(known), choice, span, sort, down)

    def groups(self, known: Known, choice: Choice, span: Span) -> list[Group]:
        """Return the groups of those, the largest first. Not to be changed."""
        return self._groups(_Seen(known), choice, span)

    def _choose(self, seen: "_Seen", choice: Choice, span: Span) -> list[Summary]:
        return chosen(seen.known.letters, choice, span)

    def _order(self, seen: "_Seen", choice: Choice, span: Span, sort: str, down: bool) -> list[Summary]:
        return ordered(self._chosen(seen, choice, span), sort, down=down)

    def _group(self, seen: "_Seen", choice: Choice, span: Span) -> list[Group]:
        return group(reversed(self._chosen(seen, choice, span)))


@dataclass(frozen=True)
class _Seen:
    """What is known, the same for a cache while its letters are the same."""

    known: Known

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Seen) and other.known.version == self.known.version

    def __hash__(self) -> int:
        return self.known.version


def desk_of(settings: dict[str, Any], store: LaneStore) -> Desk:
    """Return the desk of a dashboard, which keeps it among the settings of its application."""
    desk: Desk = settings.setdefault(_NAME, None) or Desk(store)
    settings[_NAME] = desk
    return desk
