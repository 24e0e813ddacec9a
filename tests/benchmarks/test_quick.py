import json
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.bodies import LOCATIONS, make_bodies
from benchmarks.drain import PROCESSES, THREADS
from lanes.settings import Settings

BENCH = [sys.executable, "-m", "benchmarks"]


@pytest.fixture(scope="module")
def answer() -> Any:
    done = subprocess.run([*BENCH, "--quick", "--json"], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "drain: run 1 of 1" in done.stderr
    return json.loads(done.stdout)


def test_it_tells_where_it_ran(answer: Any) -> None:
    assert set(answer["machine"]) == {"cores", "Python", "Redis", "Celery"}
    assert all(answer["machine"].values())
    assert (answer["runs"], answer["quick"]) == (1, True)


def test_every_figure_stands_beside_celery(answer: Any) -> None:
    measured = [(figure["benchmark"], figure["measured"]) for figure in answer["figures"]]
    assert measured == [
        ("enqueue", "jobs/s, enqueue"),
        ("enqueue", "jobs/s, enqueue_many"),
        ("memory", "bytes per waiting job beside its body"),
        ("drain", "upserts/s"),
        ("drain", "upserts/s"),
        ("drain", "CPU ms per upsert"),
        ("drain", "CPU ms per upsert"),
    ]
    for figure in answer["figures"]:
        assert figure["lanes"] > 0
        assert figure["celery"] > 0
        assert figure["ratio"] == figure["lanes"] / figure["celery"]
        assert (figure["verdict"] in ("met", "missed")) == (figure["aim"] is not None)
    assert [figure["aim"] for figure in answer["figures"] if figure["aim"]] == [">= 10x", "<= 700", ">= 2x"]


def test_nothing_was_lost_or_sent_twice(answer: Any) -> None:
    assert answer["counts"]["memory"] == {"pending": 200, "messages": 200}
    drain = answer["counts"]["drain"]
    assert drain["jobs"] == 200
    assert len(drain["requests"]) == 3
    assert all(seen == [200] for seen in drain["requests"].values())


@pytest.mark.parametrize("wrong", [["--only", "nothing"], ["--runs", "0"]])
def test_wrong_use_is_said_in_words(wrong: list[str]) -> None:
    done = subprocess.run([*BENCH, *wrong], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_bodies_differ_by_contact_and_go_round_the_locations() -> None:
    bodies = make_bodies(1_000)
    assert bodies == make_bodies(1_000)
    assert len({body["contactId"] for body in bodies}) == 1_000
    assert len({body["locationId"] for body in bodies}) == LOCATIONS


def test_celery_gets_as_many_threads_as_our_worker_has() -> None:
    assert PROCESSES * Settings.model_fields["shift_threads"].default == THREADS
