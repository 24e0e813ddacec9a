"""A hold that is set after a page's request was judged and before the lane is resumed stays, and the page says so."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lanes.store import LaneStore
from tests.fuzzing.scene import Scene, scene
from tests.fuzzing.site import PREFIX, USUAL, Answer, Asked, site, token

Interpose = Callable[[Callable[[], object]], None]


@pytest.fixture
def there() -> Iterator[Scene]:
    """The dashboard in this process, on a Redis with some of everything, which is put back afterwards."""
    with site().behaving(password=False):
        yield scene()
    scene().put_back()


@pytest.fixture
def interpose(monkeypatch: pytest.MonkeyPatch) -> Interpose:
    """Do something once a change is written down, and before it is made."""

    def interpose_(act: Callable[[], object]) -> None:
        note_change = LaneStore.note_change

        def interposed(self: LaneStore, *given: str) -> str:
            noted = note_change(self, *given)
            act()
            return noted

        monkeypatch.setattr(LaneStore, "note_change", interposed)

    return interpose_


def post(path: str, **given: Any) -> Answer:
    headers = {**USUAL, **token(), "Content-Type": "application/json"}
    answer = site().ask(Asked("POST", f"{PREFIX}/{path}", headers, json.dumps(given).encode(), allowed=True))
    assert answer is not None
    return answer


def test_of_a_lane(there: Scene, interpose: Interpose) -> None:
    seen = there.store.read_lanes(["held"])[0].held_at
    interpose(lambda: there.store.hold("held", "the second reason", "bob"))
    answer = post("lanes/resume", location="held", held_at=seen)
    [lane] = there.store.read_lanes(["held"])
    assert (lane.held_by, lane.hold) == ("bob", "the second reason")
    assert answer.status == 409
    assert "it was held again" in json.loads(answer.body)["error"]


def test_of_everything(there: Scene, interpose: Interpose) -> None:
    there.store.hold_all("the first reason", "ada")
    seen = there.store.gate().held_at
    interpose(lambda: there.store.hold_all("the second reason", "bob"))
    answer = post("lanes/resume-all", held_at=seen)
    gate = there.store.gate()
    assert (gate.held_by, gate.hold) == ("bob", "the second reason")
    assert answer.status == 409
    assert "held everything anew" in json.loads(answer.body)["error"]


def test_of_many_lanes(there: Scene, interpose: Interpose) -> None:
    there.store.hold("loc", "the first reason", "ada")
    lanes = there.store.read_lanes(["held", "loc"])
    interpose(lambda: there.store.hold("held", "the second reason", "bob"))
    seen = [{"location": lane.location_id, "held_at": lane.held_at} for lane in lanes]
    answer = json.loads(post("lanes/resume-held", lanes=seen).body)
    assert {lane.location_id: lane.hold for lane in there.store.lanes()} == {"held": "the second reason", "loc": None}
    assert (answer["resumed"], answer["changed"]) == (1, 1)
    assert answer["told"] == (
        "1 lane goes on. Held again meanwhile, and left as they are: held, held by bob: the second reason."
    )
