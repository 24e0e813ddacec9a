import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.bodies import LOCATIONS, make_bodies
from benchmarks.measured_rows import ROWS
from benchmarks.watching import CHROMIUM

# Without a browser, `watching` is left out; when real parts are required, that is an error.
NO_BROWSER = shutil.which(CHROMIUM) is None and not os.environ.get("LANES_REQUIRE_REAL_PARTS")
RUN = BENCHMARKS.keys() - ({"watching"} if NO_BROWSER else set())
FIRST = {"neighbour", "enqueue", "accuracy", "latency", "fleet", "history", "merge"}
TWO_PARTS = (FIRST, RUN - FIRST)
SAMPLED = ("scale", "pages")  # samples of one run
PROMISED = {
    ("gateway", "us of CPU for a row, one by one"): ["<= 3x"],
    ("gateway", "us of CPU for a row, in bulk"): ["<= 3x"],
    ("redis", "us of Redis' CPU, an upsert of a service"): ["<= 1.25x"],
}
PARTS_OF_COST = ("workers and Redis", "workers", "Redis")
pytestmark = pytest.mark.timeout(600)  # all benchmarks run within one fixture, beside other tests
BENCH = [sys.executable, "-m", "benchmarks"]


@pytest.fixture(scope="module")
def plots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plots")


@pytest.fixture(scope="module")
def answer(plots: Path) -> Any:
    """The answers of two commands that run at the same time, as one: what they measure does not matter here."""
    commands = [[*BENCH, "--quick", "--json", "--plots", str(plots), *chosen(names)] for names in TWO_PARTS]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for command in commands
    ]
    answers = []
    try:
        for process in running:
            output, said = process.communicate(timeout=500)
            assert process.returncode == 0, said
            answers.append(json.loads(output))
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)  # which ends all that it started
            process.communicate()
    return answers[0] | answers[1]


def chosen(names: Iterable[str]) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_it_reports_the_machine(answer: Any) -> None:
    for entry in answer.values():
        assert set(entry["machine"]) == {"cores", "Python", "Redis", "Celery", "dramatiq"}
        assert all(entry["machine"].values())
        assert entry["quick"]


def test_every_benchmark_has_figures(answer: Any) -> None:
    assert answer.keys() == RUN
    for name, entry in answer.items():
        assert {figure["benchmark"] for figure in entry["figures"]} == {name}
        for figure in entry["figures"]:
            for side in figure["sides"].values():
                assert len(side["runs"]) == 1 or name in SAMPLED
                # Of a few jobs, the memory of Redis may also shrink.
                assert side["median"] >= 0 or "bytes" in figure["measured"]
            assert all(aim["verdict"] in ("met", "missed") for aim in figure["aims"])


def test_every_figure_of_the_documents_is_measured(answer: Any) -> None:
    for row in ROWS:
        if row.benchmark in answer:
            assert any(figure["measured"].startswith(row.measured) for figure in answer[row.benchmark]["figures"]), row


def test_what_gateway_quota_and_outcomes_cost_has_aims(answer: Any) -> None:
    figures = [figure for name in ("gateway", "redis") for figure in answer[name]["figures"]]
    aims = {(figure["benchmark"], figure["measured"]): [aim["aim"] for aim in figure["aims"]] for figure in figures}
    assert {promise: aims[promise] for promise in PROMISED} == PROMISED


def test_every_benchmark_is_drawn(answer: Any, plots: Path) -> None:
    assert answer
    assert {path.stem for path in plots.glob("*.png")} == RUN


def test_nothing_was_lost_or_sent_twice(answer: Any) -> None:
    counts = {name: entry["counts"] for name, entry in answer.items()}
    assert counts["memory"] == {"pending": 200, "messages": 200}
    assert len(counts["neighbour"]["delivered_once"]) == 4
    assert counts["accuracy"]["requests"] == [counts["accuracy"]["jobs"]]
    assert len(counts["drain"]["requests"]) == 5
    assert all(seen == [counts["drain"]["jobs"]] for seen in counts["drain"]["requests"].values())
    assert all(seen == [counts["fleet"]["jobs"]] for seen in counts["fleet"]["requests"].values())
    assert counts["gateway"] == {"one by one": 50, "in bulk": 200}
    assert counts["history"] == {"jobs": 200, "passed": 500}
    assert counts["latency"]["idle"] == counts["latency"]["busy"] == 4
    assert counts["scale"]["accepted"] == counts["scale"]["pending"] + counts["scale"]["sampled"]
    assert counts["merge"]["requests"]["without"] == [counts["merge"]["updates"]]
    assert counts["merge"]["requests"]["merge=True"] < counts["merge"]["requests"]["without"]
    assert counts["pages"] == {"lanes": 100, "letters": 200}
    if "watching" in RUN:
        assert counts["watching"]["requests"] == [counts["watching"]["jobs"]]
    assert counts["shared"]["delivered"] == [counts["shared"]["jobs"]]


def test_redis_is_counted_for_every_side_with_a_queue(answer: Any) -> None:
    drain = {figure["measured"]: figure for figure in answer["drain"]["figures"]}
    assert {figure["redis"] for figure in drain.values()} == {"everysec"}
    both, workers, redis = (drain[f"CPU ms per upsert, {name}"]["sides"] for name in PARTS_OF_COST)
    assert len(both) == len(redis) == 3
    gateway = {figure["measured"]: figure["sides"] for figure in answer["gateway"]["figures"]}
    one_by_one, bulk = (gateway[f"us of Redis' CPU for a row, {size}"] for size in ("one by one", "in bulk"))
    for side, found in (*redis.items(), *one_by_one.items(), *bulk.items()):
        assert found["median"] > 0, side
    for side, found in redis.items():
        assert both[side]["median"] == pytest.approx(workers[side]["median"] + found["median"])


def test_the_limit_was_kept(answer: Any) -> None:
    ours = {
        (figure["benchmark"], figure["measured"]): next(iter(figure["sides"].values()))["median"]
        for entry in answer.values()
        for figure in entry["figures"]
    }
    assert ours["accuracy", "most requests in any 1 s"] <= 20
    assert ours["accuracy", "429s"] == 0
    assert ours["neighbour", "429s"] == 0
    assert ours["fleet", "429s, https"] == 0


@pytest.mark.parametrize("wrong", [["--only", "nothing"], ["--runs", "0"]])
def test_wrong_use_is_one_line(wrong: list[str]) -> None:
    done = subprocess.run([*BENCH, *wrong], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_bodies_differ_by_contact_and_go_round_the_locations() -> None:
    bodies = make_bodies(1_000)
    assert bodies == make_bodies(1_000)
    assert len({body["contactId"] for body in bodies}) == 1_000
    assert len({body["locationId"] for body in bodies}) == LOCATIONS
