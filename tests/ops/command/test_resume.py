"""`lanes resume`: which hold it ends, and that it ends no other."""

import pytest

from lanes.store import LaneStore
from tests.ops.command.conftest import Run


def holds(store: LaneStore) -> dict[str, tuple[str | None, str | None]]:
    """Return who holds each lane, and why."""
    return {lane.location_id: (lane.held_by, lane.hold) for lane in store.lanes() if lane.hold is not None}


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch, store: LaneStore) -> None:
    """Another person holds each lane anew, after the command has read its hold and before it ends it."""
    note_change = LaneStore.note_change

    def interposed(self: LaneStore, who: str, what: str, on: str, detail: str) -> str:
        noted = note_change(self, who, what, on, detail)
        if on == "everything":
            store.hold_all("the second reason", "bob")
        elif on == "one":
            store.hold(on, "the second reason", "bob")
        return noted

    monkeypatch.setattr(LaneStore, "note_change", interposed)


@pytest.mark.usefixtures("meanwhile")
def test_a_hold_that_was_set_since_it_was_read_stays(quick: Run, store: LaneStore) -> None:
    for name in ("one", "two"):
        store.hold(name, "the first reason", "ada")
    shown = quick("resume", "one", "two")
    assert holds(store) == {"one": ("bob", "the second reason")}
    assert shown.returncode == 1
    assert shown.stderr.splitlines() == [
        "one: left as it is: it was held anew meanwhile, by bob: the second reason",
        "two goes on (it was held by ada: the first reason)",
        "lanes: 1 lane was held anew meanwhile",
    ]


@pytest.mark.usefixtures("meanwhile")
def test_a_hold_of_everything_that_was_set_since_it_was_read_stays(quick: Run, store: LaneStore) -> None:
    store.hold_all("the first reason", "ada")
    shown = quick("resume", "--all")
    assert (store.gate().held_by, store.gate().hold) == ("bob", "the second reason")
    assert shown.returncode == 1
    assert "left as it is: everything was held anew meanwhile, by bob: the second reason" in shown.stderr
