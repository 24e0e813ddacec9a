"""The filter of lanes to resume, for commands and pages."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from lanes.queue.lane import HoldCause, Lane


@dataclass(frozen=True, slots=True)
class HoldFilter:
    """Held lanes that match every field that is set; with `braked`, lanes on the brake that are not held instead.

    `held_by`: exactly this name. `causes`: held for these causes and no other, since a resume ends all causes.
    `reason`: a part of the hold's reason, in any case. The other fields do not apply to `braked`.
    """

    held_by: str | None = None
    causes: frozenset[HoldCause] = frozenset()
    reason: str | None = None
    braked: bool = False

    def matches(self, lane: Lane) -> bool:
        """Return whether a lane matches."""
        if self.braked:
            return lane.brake is not None and lane.hold is None
        return self._named(lane) and (not self.causes or self.causes.issuperset(lane.hold_causes))

    def skips(self, lane: Lane) -> bool:
        """Return whether a lane does not match only because it is held for another cause as well."""
        named = not self.braked and self._named(lane)
        return named and not self.matches(lane) and not self.causes.isdisjoint(lane.hold_causes)

    def choose(self, lanes: Iterable[Lane]) -> list[Lane]:
        """Return the lanes that match, in their order."""
        return [lane for lane in lanes if self.matches(lane)]

    def _named(self, lane: Lane) -> bool:
        """Return whether a lane is held by this person for this reason."""
        if lane.hold is None or (self.held_by is not None and lane.held_by != self.held_by):
            return False
        text = (self.reason or "").casefold()
        return any(text in reason.casefold() for reason in (lane.hold, lane.unauthorized or ""))

    def __str__(self) -> str:
        """Return a description that follows the word "lanes"."""
        if self.braked:
            return "on the brake"
        words = [f" by {self.held_by}"] if self.held_by is not None else []
        words += [f" for {' or '.join(sorted(self.causes))}"] if self.causes else []
        words += [f" with {self.reason!r} in the reason"] if self.reason is not None else []
        return "held" + "".join(words)


def count_causes(lanes: Iterable[Lane]) -> str:
    """Return how many lanes are held by whom: `2 by ada, 1 by authorization`."""
    counted: Counter[str] = Counter()
    for lane in lanes:
        names = [lane.held_by or "?", *(cause for cause in lane.hold_causes if cause is not HoldCause.OPERATOR)]
        counted[" and ".join(dict.fromkeys(map(str, names)))] += 1
    return ", ".join(f"{count} by {who}" for who, count in sorted(counted.items()))
