"""`lanes resume`: which hold it ends, and that it ends no other."""

import json
from collections.abc import Callable

import pytest

from lanes.activity import audit_log
from lanes.queue.store import LaneStore
from tests.ops.command.conftest import Run

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def holds(store: LaneStore) -> dict[str, tuple[str | None, str | None]]:
    """Return the cause and the reason of each lane's hold."""
    return {lane.location_id: (lane.held_by, lane.hold) for lane in store.lanes() if lane.hold is not None}


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch, store: LaneStore) -> None:
    """Another person holds each lane again, after the command has read its hold and before it ends it."""
    append_audit_log = LaneStore.append_audit_log

    def interposed(self: LaneStore, who: str, what: str, on: str, *more: str) -> str:
        noted = append_audit_log(self, who, what, on, *more)
        if on == "everything":
            store.hold_all("the second reason", "bob")
        elif on == "one":
            store.hold(on, "the second reason", "bob")
        return noted

    monkeypatch.setattr(LaneStore, "append_audit_log", interposed)


@pytest.mark.usefixtures("meanwhile")
def test_a_hold_that_was_set_since_it_was_read_stays(quick: Run, store: LaneStore) -> None:
    for name in ("one", "two"):
        store.hold(name, "the first reason", "ada")
    shown = quick("resume", "one", "two")
    assert holds(store) == {"one": ("bob", "the second reason")}
    assert shown.returncode == 1
    assert shown.stderr.splitlines() == [
        "one: left unchanged: it was held again meanwhile, by bob: the second reason",
        "two resumed (it was held by ada: the first reason)",
        "lanes: 1 lane was stopped again meanwhile",
    ]


@pytest.mark.usefixtures("meanwhile")
def test_a_hold_of_everything_that_was_set_since_it_was_read_stays(quick: Run, store: LaneStore) -> None:
    store.hold_all("the first reason", "ada")
    shown = quick("resume", "--all")
    assert (store.global_state().held_by, store.global_state().hold) == ("bob", "the second reason")
    assert shown.returncode == 1
    assert "left unchanged: all lanes were held again meanwhile, by bob: the second reason" in shown.stderr


def prepare(store: LaneStore) -> None:
    """Hold lanes for every cause: two by ada, one by bob, two for their tokens, one of these by ada as well."""
    for name in ("ada-1", "ada-2", "bob", "both", "token"):
        store.client.sadd(store.key("locations"), name)
    store.hold("ada-1", "wrong PRICES", "ada")
    store.hold("ada-2", "wrong pipeline", "ada")
    store.hold("bob", "prices, too", "bob")
    store.hold("both", "wrong prices", "ada")
    for name in ("both", "token"):
        store.hold(name, "Invalid JWT", "authorization")


@pytest.mark.parametrize(
    ("filters", "lanes"),
    [
        (["--all-held"], "ada-1 ada-2 bob both token"),
        (["--held-by", "ada"], "ada-1 ada-2 both"),
        (["--held-by", "ADA"], ""),
        (["--cause", "operator"], "ada-1 ada-2 bob"),
        (["--cause", "authorization"], "token"),
        (["--cause", "authorization", "--cause", "operator"], "ada-1 ada-2 bob both token"),
        (["--all-held", "--cause", "authorization"], "token"),
        (["--reason", "prices"], "ada-1 bob both"),
        (["--reason", "jwt"], "both token"),
        (["--held-by", "ada", "--reason", "prices", "--cause", "operator"], "ada-1"),
    ],
)
def test_filters_choose_and_a_dry_run_lists_and_changes_nothing(
    quick: Run, store: LaneStore, filters: list[str], lanes: str
) -> None:
    prepare(store)
    chosen = set(lanes.split())
    before = holds(store)
    shown = quick("resume", *filters, "--dry-run")
    assert {line.split()[0] for line in shown.stdout.splitlines()[1:]} == chosen
    assert f"would resume {len(chosen)} lane" in shown.stderr
    listed = json.loads(quick("resume", *filters, "--dry-run", "--json").stdout)
    assert {(each["location_id"], each["answer"]) for each in listed} == {(name, "held") for name in chosen}
    assert holds(store) == before
    done = json.loads(quick("resume", *filters, "--yes", "--json").stdout)
    assert {(each["location_id"], each["answer"]) for each in done} == {(name, "resumed") for name in chosen}
    assert holds(store).keys() == before.keys() - chosen
    assert {entry.on for entry in audit_log.read(store) if entry.what == "resume"} == chosen


def test_a_hold_of_another_person_is_shown_before_it_ends(quick: Run, store: LaneStore) -> None:
    prepare(store)
    shown = quick("resume", "--all-held")
    assert shown.returncode == 2
    shown_text = " ".join(shown.stderr.split())
    assert "ada-1: held since 2" in shown_text
    assert "by bob: prices, too" in shown_text
    assert "by ada: wrong prices; authorization: Invalid JWT" in shown_text
    question = "resume 5 lanes held (2 by ada, 1 by ada and authorization, 1 by authorization, 1 by bob)?"
    assert f"{question} There is no terminal to ask on: add --yes, or look first with --dry-run" in shown_text
    assert len(holds(store)) == 5
    assert audit_log.read(store) == []


def test_a_lane_that_is_held_for_another_cause_as_well_is_left_and_named(quick: Run, store: LaneStore) -> None:
    prepare(store)
    assert quick("resume", "--cause", "authorization").returncode == 2, "one is not resumed without a question, either"
    assert len(holds(store)) == 5
    shown = quick("resume", "--cause", "authorization", "--yes")
    assert (shown.returncode, shown.stderr.splitlines()) == (
        0,
        [
            "both: left unchanged: held by ada: wrong prices; authorization: Invalid JWT",
            "token resumed (it was held by authorization: Invalid JWT)",
        ],
    )
    assert quick("resume", "--held-by", "nobody").stderr == "no lane is held by nobody\n"


def test_a_hold_that_is_set_while_the_command_asks_stays(
    quick: Run, store: LaneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(store)
    asked: list[str] = []

    def asking(question: str) -> None:
        asked.append(question)
        store.hold("ada-1", "the second reason", "bob")
        store.resume("ada-2")

    monkeypatch.setattr("ops.command.resume.confirm", asking)
    shown = quick("resume", "--held-by", "ada")
    assert asked == ["resume 3 lanes held by ada (2 by ada, 1 by ada and authorization)?"]
    assert holds(store) == {
        "ada-1": ("bob", "the second reason"),
        "bob": ("bob", "prices, too"),
        "token": ("authorization", "Invalid JWT"),
    }
    assert shown.returncode == 1
    assert shown.stderr.splitlines()[-4:] == [
        "ada-1: left unchanged: it was held again meanwhile, by bob: the second reason",
        "ada-2 is not held any more",
        "both resumed (it was held by ada: wrong prices; authorization: Invalid JWT)",
        "lanes: 1 lane was stopped again meanwhile",
    ]


def test_a_hold_shows_that_the_token_was_refused_and_a_new_token_keeps_it(
    quick: Run, store: LaneStore, enqueue: Callable[..., str]
) -> None:
    enqueue("loc")
    store.hold("loc", "Invalid JWT", "authorization")
    shown = quick("hold", "loc", "--reason", "asked them", "--by", "ada")
    assert shown.stderr == "loc is held, and by authorization: Invalid JWT; resume it with: lanes resume loc\n"
    lane = json.loads(quick("status", "--json").stdout)["locations"][0]
    assert (lane["hold"], lane["held_by"]) == ("asked them", "ada")
    assert (lane["hold_causes"], lane["unauthorized"]) == (["operator", "authorization"], "Invalid JWT")
    assert "ada: asked them; authorization: Invalid JWT" in quick("status").stdout
    shown = quick("token", "set", "loc", stdin=b"pit-new", LANES_SECRET_KEY=KEY)
    assert "loc stays held by ada: asked them\n" in shown.stderr
    assert json.loads(quick("status", "--json").stdout)["locations"][0]["hold_causes"] == ["operator"]
