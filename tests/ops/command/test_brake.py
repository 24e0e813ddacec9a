"""Lanes on the brake, as the commands show them, and how a person resumes them."""

import json
from collections.abc import Callable

import pytest

from lanes.queue.lane import Brake
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, CountedRefusal, RateLimitInfo
from tests.ops.command.conftest import CONSUMER, Run

REFUSAL = CountedRefusal(limit=2, gap=50, max_gap=60, status=403, shape="shape")
SECRET = "Ada Lovelace is forbidden"  # the API's words may repeat an opportunity's content


def refuse(store: LaneStore, enqueue: Callable[..., str], *locations: str) -> None:
    """Put lanes on the brake; a job waits in each."""
    for location in locations:
        for contact in ("a", "b"):
            enqueue(location, contact)
            job = store.release(CONSUMER).next
            assert isinstance(job, Released)
            detail = json.dumps({"status": 403, "message": SECRET, "seconds": 0.1, "worker": "w"})
            report = AttemptReport(job.id, job.attempt, detail, CONSUMER.limits, RateLimitInfo())
            assert store.bury(report, reason="refused", refusal=REFUSAL).code == "buried"
        enqueue(location, "c")


def brake_of(store: LaneStore, location: str) -> Brake | None:
    return store.read_lanes([location])[0].brake


def test_status_shows_the_brake_beside_the_hold(quick: Run, store: LaneStore, enqueue: Callable[..., str]) -> None:
    refuse(store, enqueue, "one")
    enqueue("two")
    found = json.loads(quick("status", "--json").stdout)
    lanes = {lane["location_id"]: lane for lane in found["locations"]}
    assert found["brake"] is None
    assert lanes["two"]["brake"] is None
    brake = lanes["one"]["brake"]
    assert (lanes["one"]["hold"], brake["refusals"], brake["status"]) == (None, 2, 403)
    assert 0 < brake["next_probe_in"] <= 50
    assert 0 < store.time() - brake["since"] < 3600
    shown = quick("status").stdout
    assert "2 refusals, status 403; next probe: " in shown
    assert SECRET not in shown
    assert "held" not in shown


def test_a_job_shows_that_its_lane_is_on_the_brake_and_why(
    quick: Run, store: LaneStore, enqueue: Callable[..., str]
) -> None:
    refuse(store, enqueue, "one")
    shown = quick("job", enqueue("one", "d"))
    assert "waits          because its lane is on the brake after 2 refusals in a row, the last with status 403" in (
        shown.stdout
    )
    assert SECRET not in shown.stdout


def test_resume_ends_the_brake(quick: Run, store: LaneStore, enqueue: Callable[..., str]) -> None:
    refuse(store, enqueue, "one")
    shown = quick("resume", "one")
    assert shown.returncode == 0
    assert shown.stderr == "one resumed (it was on the brake after 2 refusals in a row, the last with status 403)\n"
    assert brake_of(store, "one") is None
    assert isinstance(store.release(CONSUMER).next, Released)
    assert quick("resume", "one").stderr == "one was not held\n"
    audit_log = quick("audit-log", "--what", "resume").stdout
    assert "on the brake after 2 refusals" in audit_log


def test_a_held_lane_is_resumed_first_and_its_brake_by_a_second_call(
    quick: Run, store: LaneStore, enqueue: Callable[..., str]
) -> None:
    refuse(store, enqueue, "one")
    store.hold("one", "why", "ada")
    assert quick("resume", "one").stderr.splitlines() == [
        "one resumed (it was held by ada: why); it is still on the brake; end that with: lanes resume one",
    ]
    assert brake_of(store, "one") is not None
    assert quick("resume", "one").stderr.startswith("one resumed (it was on the brake after 2 refusals")
    assert brake_of(store, "one") is None


@pytest.mark.parametrize("held", [False, True])
def test_the_global_brake_is_shown_and_ended(
    quick: Run, store: LaneStore, enqueue: Callable[..., str], held: bool
) -> None:
    refuse(store, enqueue, "one", "two", "three")
    brake = json.loads(quick("status", "--json").stdout)["brake"]
    assert (brake["status"], brake["next_probe_in"] > 0) == (403, True)
    assert quick("status").stdout.startswith("ALL LANES ARE ON THE BRAKE since ")
    if held:
        store.hold_all("why", "ada")
        assert quick("resume", "--all").stderr.splitlines() == [
            "all lanes resumed (held until now by ada: why)",
            "all lanes are still on the brake; to end that, run again: lanes resume --all",
        ]
    assert quick("resume", "--all").stderr == "the brake of all lanes ended; lanes with their own brake stay on it\n"
    assert store.global_state().brake is None
    assert brake_of(store, "two") is not None
    assert quick("resume", "--all").stderr == "nothing to end: there is no hold and no brake of all lanes\n"


def test_the_lanes_on_the_brake_are_resumed_together_but_for_held_ones(
    quick: Run, store: LaneStore, enqueue: Callable[..., str]
) -> None:
    refuse(store, enqueue, "one", "two")
    store.hold("two", "why", "ada")
    store.hold("three", "why", "ada")
    shown = quick("resume", "--brake", "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "would resume 1 lane; nothing was changed\n")
    assert "2 refusals in a row, the last with status 403" in shown.stdout
    assert brake_of(store, "one") is not None
    found = json.loads(quick("resume", "--brake", "--dry-run", "--json").stdout)
    assert [(lane["location_id"], lane["answer"]) for lane in found] == [("one", "braked")]
    assert quick("resume", "--brake").returncode == 2  # there is no terminal to ask at
    assert quick("resume", "--brake", "--yes").stderr.startswith("one resumed (it was on the brake after 2 refusals")
    assert brake_of(store, "one") is None
    assert brake_of(store, "two") is not None
    assert quick("resume", "--brake", "--yes").stderr == "no lane is on the brake\n"
    assert quick("resume", "--brake", "--held-by", "ada").returncode == 2
