"""The command as people run it: the installed script, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.settings.environment import PREFIX
from ops.command.root import lanes
from producers import OpportunityProducer

LANES = str(Path(sys.executable).with_name("lanes"))
CONSUMER = Consumer("test", lease=60, retention=3600, limits=DefaultLimits(burst=1000, window=10, daily=100_000))

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[[str, str | bytes], str]


def environ(redis_url: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    path = f"{Path(LANES).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "LANES_REDIS_URL": redis_url, **more}


@pytest.fixture
def run(redis_url: str, tmp_path: Path) -> Run:
    """Run `lanes ...` in an empty folder and return its result."""

    def run_(
        *arguments: str, stdin: bytes = b"", url: str = redis_url, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [LANES, *arguments],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=environ(url, **more),
            timeout=60,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run_


@pytest.fixture
def quick(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """As `run`, but in this process: for many calls."""
    monkeypatch.chdir(tmp_path)

    def run_(
        *arguments: str, stdin: bytes = b"", url: str = redis_url, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        cleared = dict.fromkeys(name for name in os.environ if name.startswith(PREFIX))
        shown = CliRunner().invoke(lanes, arguments, input=stdin, env={**cleared, "LANES_REDIS_URL": url, **more})
        assert isinstance(shown.exception, SystemExit | None)
        return subprocess.CompletedProcess(arguments, shown.exit_code, shown.stdout, shown.stderr)

    return run_


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file into the folder of the command, and return its name."""

    def write_(name: str, content: str | bytes) -> str:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write_


@pytest.fixture
def store(redis_url: str) -> Iterator[LaneStore]:
    store = LaneStore(connect(redis_url))
    yield store
    store.close()


@pytest.fixture
def enqueue(store: LaneStore) -> Callable[..., str]:
    """Enqueue a job and return its id."""
    producer = OpportunityProducer(store)

    def enqueue_(location: str = "loc", contact: str = "contact", **fields: object) -> str:
        row = {"pipelineId": "pipe", "locationId": location, "contactId": contact, **fields}
        return producer.enqueue(row).job_id

    return enqueue_


@pytest.fixture
def bury(store: LaneStore, enqueue: Callable[..., str]) -> Callable[..., str]:
    """Make a dead letter and return its id."""

    def bury_(location: str = "loc", contact: str = "contact", *, reason: str = "refused", **fields: object) -> str:
        job_id = enqueue(location, contact, **fields)
        released = store.release(CONSUMER).next
        assert getattr(released, "id", None) == job_id, "a test buries before it enqueues other jobs"
        detail = '{"status": 422, "message": ["property name is \\u001b[31mbad"], "trace_id": "t1"}'
        assert store.bury(AttemptReport(job_id, 1, detail, CONSUMER.limits), reason=reason).code == "buried"
        return job_id

    return bury_


@pytest.fixture
def refuse(store: LaneStore, enqueue: Callable[..., str]) -> Callable[..., str]:
    """Make a dead letter with an answer of choice and return its id."""

    def die_(location: str, contact: str, detail: dict[str, Any], *, reason: str = "refused", **fields: object) -> str:
        job_id = enqueue(location, contact, **fields)
        released = store.release(CONSUMER).next
        assert getattr(released, "id", None) == job_id
        report = AttemptReport(job_id, 1, json.dumps({"seconds": 0.25, "worker": "w@h", **detail}), CONSUMER.limits)
        assert store.bury(report, reason=reason).code == "buried"
        return job_id

    return die_
