"""A hold that is set after a page's request was judged and before the lane is resumed stays, and the page says so."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lanes.queue.store import LaneStore
from tests.fuzzing.seeded_redis import SeededRedis, seeded_redis
from tests.fuzzing.site import PREFIX, USUAL, Answer, Asked, site, token
from tests.worker.dashboard.sample_jobs import put_on_brake

Interpose = Callable[[Callable[[], object]], None]


@pytest.fixture
def there() -> Iterator[SeededRedis]:
    """The dashboard in this process, on a Redis with some of everything, which is put back afterwards."""
    with site().behaving(password=False):
        yield seeded_redis()
    seeded_redis().put_back()


@pytest.fixture
def interpose(monkeypatch: pytest.MonkeyPatch) -> Interpose:
    """Do something once a change is written down, and before it is made."""

    def interpose_(act: Callable[[], object]) -> None:
        append_audit_log = LaneStore.append_audit_log

        def interposed(self: LaneStore, *given: str) -> str:
            noted = append_audit_log(self, *given)
            act()
            return noted

        monkeypatch.setattr(LaneStore, "append_audit_log", interposed)

    return interpose_


def post(path: str, **given: Any) -> Answer:
    headers = {**USUAL, **token(), "Content-Type": "application/json"}
    answer = site().ask(Asked("POST", f"{PREFIX}/{path}", headers, json.dumps(given).encode(), allowed=True))
    assert answer is not None
    return answer


def test_resuming_a_lane_keeps_a_newer_hold(there: SeededRedis, interpose: Interpose) -> None:
    seen = there.store.read_lanes(["held"])[0].held_at
    interpose(lambda: there.store.hold("held", "the second reason", "bob"))
    answer = post("lanes/resume", location="held", held_at=seen)
    [lane] = there.store.read_lanes(["held"])
    assert (lane.held_by, lane.hold) == ("bob", "the second reason")
    assert answer.status == 409
    assert "it was held again" in json.loads(answer.body)["error"]


def test_resuming_everything_keeps_a_newer_hold(there: SeededRedis, interpose: Interpose) -> None:
    there.store.hold_all("the first reason", "ada")
    seen = there.store.global_state().held_at
    interpose(lambda: there.store.hold_all("the second reason", "bob"))
    answer = post("lanes/resume-all", held_at=seen)
    global_state = there.store.global_state()
    assert (global_state.held_by, global_state.hold) == ("bob", "the second reason")
    assert answer.status == 409
    assert "held everything again" in json.loads(answer.body)["error"]


def test_resuming_many_lanes_keeps_newer_holds(there: SeededRedis, interpose: Interpose) -> None:
    there.store.hold("loc", "the first reason", "ada")
    lanes = there.store.read_lanes(["held", "loc"])
    interpose(lambda: there.store.hold("held", "the second reason", "bob"))
    seen = [{"location": lane.location_id, "since": lane.held_at} for lane in lanes]
    answer = json.loads(post("lanes/resume-held", lanes=seen).body)
    assert {lane.location_id: lane.hold for lane in there.store.lanes()} == {"held": "the second reason", "loc": None}
    assert (answer["resumed"], answer["changed"]) == (1, 1)
    assert answer["message"] == (
        "1 lane is resumed. Stopped again meanwhile, so not resumed: held, held by bob: the second reason."
    )


def test_resuming_many_lanes_on_the_brake_keeps_newer_brakes(there: SeededRedis) -> None:
    """Only the brake on the page ends; a hold set meanwhile stays, and so does a newer brake."""
    for name in ("first", "second"):
        put_on_brake(there.store, name)
    seen = {lane.location_id: lane.brake for lane in there.store.read_lanes(["first", "second"])}
    there.store.hold("second", "the second reason", "bob")
    asked = [{"location": name, "since": brake.since} for name, brake in seen.items() if brake]
    answer = json.loads(post("lanes/resume-held", lanes=asked).body)
    lanes = {lane.location_id: lane for lane in there.store.read_lanes(["first", "second"])}
    assert lanes["first"].brake is None
    assert lanes["second"].brake is not None
    assert lanes["second"].hold == "the second reason"
    assert answer["message"] == (
        "1 lane is resumed. Stopped again meanwhile, so not resumed: second, held by bob: the second reason."
    )
