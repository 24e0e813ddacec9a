"""A fault that could not be injected is no proof: it is counted as not tried, in the table and in the JSON."""

import io
import random
from collections import Counter
from collections.abc import Mapping
from typing import cast

import pytest
import redis
from rich.console import Console

from tests.chaos.environment import Environment
from tests.chaos.evidence import Evidence, NotTried
from tests.chaos.fault import Fault, NotInjectedError
from tests.chaos.faults import FAULTS, Planned
from tests.chaos.journal import JournalContents
from tests.chaos.report import make_report
from tests.chaos.run import Run
from tests.chaos.worker_faults import ProcessKilled

NOTHING = Evidence([], {}, {}, Counter(), [], [], limit=20, window=1.0, lease=5.0)
ERRORS: Mapping[str, Exception] = {
    "missing right": PermissionError(1, "Operation not permitted"),
    "missing program": FileNotFoundError(2, "No such file", "redis-sentinel"),
    "missing command": redis.ResponseError("unknown command 'DEBUG'"),
    "no target": NotInjectedError("worker w1 has no child process"),
}


class QuietEnvironment:
    """An environment without processes."""

    usual_rate = 0.0
    workers: Mapping[str, object] = {}
    ends = ()

    def delivered(self) -> int:
        return 0


class Impossible(Fault):
    name = "impossible"
    targets = frozenset({"workers"})
    error: Exception = ERRORS["no target"]

    def begin(self, environment: Environment) -> None:  # noqa: ARG002 - as every fault
        raise self.error

    def end(self, environment: Environment) -> None:  # noqa: ARG002 - as every fault
        pytest.fail("a fault that never began was ended")


@pytest.fixture
def chaos_run() -> Run:
    return Run(cast("Environment", QuietEnvironment()), log=lambda _: None, calm=0)


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_fault_that_cannot_be_injected_is_not_tried(
    chaos_run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setitem(FAULTS, Impossible.name, Impossible)
    monkeypatch.setattr(Impossible, "error", error)
    chaos_run.inject([Planned(Impossible.name, after=0, seconds=0, seed=1)])
    assert chaos_run.rounds == []
    assert chaos_run.stuck == []
    assert chaos_run.not_tried == [NotTried("impossible", f"{type(error).__name__}: {error}")]


def test_an_unexpected_error_is_not_hidden(chaos_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, Impossible.name, Impossible)
    monkeypatch.setattr(Impossible, "error", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        chaos_run.inject([Planned(Impossible.name, after=0, seconds=0, seed=1)])


def test_a_worker_without_child_processes_has_none_to_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chaos.worker_faults.children_of", lambda _: [])
    environment = QuietEnvironment()
    environment.workers = {"w1": type("Worker", (), {"pid": 1})}
    with pytest.raises(NotInjectedError, match="worker w1 has no child process"):
        ProcessKilled(random.Random(1)).begin(cast("Environment", environment))


def test_the_report_and_its_json_show_what_was_not_tried(chaos_run: Run) -> None:
    chaos_run.not_tried = [NotTried("disk full", "PermissionError: no")] * 2
    missing = NotTried("failed over by Sentinel", "no redis-sentinel")
    report = make_report(chaos_run, NOTHING, JournalContents((), {}, (), 0.0), seed=1, seconds=2.0, not_tried=[missing])
    shown = report.as_json()
    assert shown["faults"] == {}
    assert shown["not_tried"] == [
        {"fault": "failed over by Sentinel", "why": "no redis-sentinel", "times": 1},
        {"fault": "disk full", "why": "PermissionError: no", "times": 2},
    ]
    console = Console(file=io.StringIO(), width=120)
    report.print(console)
    printed = cast("io.StringIO", console.file).getvalue()
    assert "not tried: disk full (PermissionError: no)" in printed
    assert "not tried: failed over by Sentinel (no redis-sentinel)" in printed
