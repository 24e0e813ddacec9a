"""Which lanes a person resumes: one filter for commands and pages."""

from collections.abc import Iterable
from dataclasses import dataclass

from lanes.queue.lane import HoldCause, Lane


@dataclass(frozen=True, slots=True)
class HoldFilter:
    """Held lanes by who holds them and why; without any field, all of them. With `braked`, those on the brake instead.

    `held_by`: exactly this name. `causes`: lanes that are held for these causes and for no other, since to resume ends
    all of them. `reason`: a part of a reason of the hold, capital letters or not. `braked`: lanes that are on the brake
    and not held; no other field says anything of them.
    """

    held_by: str | None = None
    causes: frozenset[HoldCause] = frozenset()
    reason: str | None = None
    braked: bool = False

    def matches(self, lane: Lane) -> bool:
        """Return whether a lane is held, and as the filter says; or on the brake, where that is meant."""
        if self.braked:
            return lane.brake is not None and lane.hold is None
        return self._named(lane) and (not self.causes or self.causes.issuperset(lane.hold_causes))

    def skips(self, lane: Lane) -> bool:
        """Return whether a lane is left out only because it is held for another cause as well."""
        return (
            not self.braked
            and self._named(lane)
            and not self.matches(lane)
            and not self.causes.isdisjoint(lane.hold_causes)
        )

    def choose(self, lanes: Iterable[Lane]) -> list[Lane]:
        """Return the lanes that match, in their order."""
        return [lane for lane in lanes if self.matches(lane)]

    def _named(self, lane: Lane) -> bool:
        """Return whether a lane is held by the one, and for the reason, of the filter."""
        if lane.hold is None or (self.held_by is not None and lane.held_by != self.held_by):
            return False
        text = (self.reason or "").casefold()
        return any(text in reason.casefold() for reason in (lane.hold, lane.unauthorized or ""))

    def __str__(self) -> str:
        """Return what is so of the lanes, in words that go after "lanes"."""
        if self.braked:
            return "on the brake"
        words = [f" by {self.held_by}"] if self.held_by is not None else []
        words += [f" for {' or '.join(sorted(self.causes))}"] if self.causes else []
        words += [f" with {self.reason!r} in the reason"] if self.reason is not None else []
        return "held" + "".join(words)


def count_causes(lanes: Iterable[Lane]) -> str:
    """Return how many lanes each holds and for which causes: `2 by ada, 1 by authorization`."""
    counted: dict[str, int] = {}
    for lane in lanes:
        names = [lane.held_by or "?", *(cause for cause in lane.hold_causes if cause is not HoldCause.OPERATOR)]
        who = " and ".join(dict.fromkeys(map(str, names)))
        counted[who] = counted.get(who, 0) + 1
    return ", ".join(f"{count} by {who}" for who, count in sorted(counted.items()))
