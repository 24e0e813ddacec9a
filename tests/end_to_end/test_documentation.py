"""The examples of the documentation run."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lanes.queue.job import State
from ops.embedded.stack import Stack
from producers.files.rows import read_rows
from producers.new_job import make_new_job
from tests.documentation.pages import blocks

ROWS = [{"pipelineId": "pipe", "locationId": "loc", "contactId": "c"}, {"pipelineId": "pipe", "status": "opened"}]


def run_examples(page: str) -> dict[str, Any]:
    names: dict[str, Any] = {"datetime": datetime, "UTC": UTC, "timedelta": timedelta, "rows": ROWS}
    examples = [example for example in blocks(page, "python") if "import Celery" not in example]  # test_enqueue_task.py
    for example in examples:
        exec(compile(example, page, "exec"), names)
    names["producer"].close()
    return names


@pytest.fixture
def stack(make_stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch) -> Stack:
    stack = make_stack()
    stack.start_worker()
    monkeypatch.setenv("LANES_REDIS_URL", stack.redis.url)
    return stack


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("page", ["README.md", "docs/enqueue.md"])
def test_every_python_example_runs(page: str) -> None:
    job = run_examples(page)["job"]
    assert job.state is State.DELIVERED
    assert job.new is not None


@pytest.mark.usefixtures("stack")
def test_a_bulk_enqueue_reports_what_it_refused() -> None:
    report = run_examples("docs/enqueue.md")["report"]
    assert report.accepted == 1
    assert len(report.refused) == 1


SERVICE = """
def order_paid(producer, contact):
    row = {"pipelineId": "pipe", "locationId": "loc", "contactId": contact, "status": "won"}
    return producer.wait(producer.enqueue(row).job_id, timeout=5).opportunity_id
"""


def test_the_test_of_a_service_passes(tmp_path: Path) -> None:
    [example] = [block for block in blocks("docs/testing.md", "python") if "def test_" in block]
    (tmp_path / "test_service.py").write_text(SERVICE + example, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert "1 passed" in done.stdout, done.stdout


def test_the_example_row_of_a_file_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    [example] = blocks("docs/enqueue.md", "json")
    file.write_text(example, encoding="utf-8")
    with file.open("rb") as lines:
        assert [make_new_job(row.value).idempotency_key for row in read_rows(lines, "jsonl")] == ["k1"]
