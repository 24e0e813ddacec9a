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
from benchmarks.commands import PROCESSES, SLOTS
from benchmarks.watching import CHROMIUM
from lanes.settings import WorkerSettings

# Without a browser, `watching` is left out; when real parts are required, that is an error.
NO_BROWSER = shutil.which(CHROMIUM) is None and not os.environ.get("LANES_REQUIRE_REAL_PARTS")
RUN = BENCHMARKS.keys() - ({"watching"} if NO_BROWSER else set())
FIRST = {"neighbour", "enqueue", "accuracy"}
TWO_PARTS = (FIRST, RUN - FIRST)
SAMPLED = ("scale", "pages")  # samples of one run
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
            output, said = process.communicate(timeout=240)
            assert process.returncode == 0, said
            answers.append(json.loads(output))
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)  # which ends all that it started
            process.communicate()
    one, other = answers
    figures = one["figures"] + other["figures"]
    return {**one, "counts": one["counts"] | other["counts"], "figures": figures}


def chosen(names: Iterable[str]) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_it_reports_the_machine(answer: Any) -> None:
    assert set(answer["machine"]) == {"cores", "Python", "Redis", "Celery", "dramatiq"}
    assert all(answer["machine"].values())
    assert (answer["runs"], answer["quick"]) == (1, True)


def test_every_benchmark_has_figures(answer: Any) -> None:
    figures = answer["figures"]
    assert {figure["benchmark"] for figure in figures} == RUN == set(answer["counts"])
    for figure in figures:
        for side in figure["sides"].values():
            assert len(side["runs"]) == 1 or figure["benchmark"] in SAMPLED
            assert side["median"] >= 0
        assert all(aim["verdict"] in ("met", "missed") for aim in figure["aims"])


def test_every_benchmark_is_drawn(answer: Any, plots: Path) -> None:
    assert answer["quick"]
    assert {path.stem for path in plots.glob("*.png")} == RUN


def test_nothing_was_lost_or_sent_twice(answer: Any) -> None:
    counts = answer["counts"]
    assert counts["memory"] == {"pending": 200, "messages": 200}
    assert len(counts["neighbour"]["delivered_once"]) == 4
    assert counts["accuracy"]["requests"] == [counts["accuracy"]["jobs"]]
    assert len(counts["drain"]["requests"]) == 5
    assert all(seen == [counts["drain"]["jobs"]] for seen in counts["drain"]["requests"].values())
    assert counts["scale"]["accepted"] == counts["scale"]["pending"] + counts["scale"]["sampled"]
    assert counts["merge"]["requests"]["without"] == [counts["merge"]["updates"]]
    assert counts["merge"]["requests"]["merge=True"] < counts["merge"]["requests"]["without"]
    assert counts["pages"] == {"lanes": 100, "letters": 200}
    if "watching" in RUN:
        assert counts["watching"]["requests"] == [counts["watching"]["jobs"]]
    assert counts["shared"]["delivered"] == [counts["shared"]["jobs"]]


def test_the_limit_was_kept(answer: Any) -> None:
    ours = {
        (figure["benchmark"], figure["measured"]): next(iter(figure["sides"].values()))["median"]
        for figure in answer["figures"]
    }
    assert ours["accuracy", "most requests in any 1 s"] <= 20
    assert ours["accuracy", "429s"] == 0
    assert ours["neighbour", "429s"] == 0


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


def test_other_systems_get_as_many_slots_as_our_worker() -> None:
    assert PROCESSES * WorkerSettings.model_fields["shift_threads"].default == SLOTS
