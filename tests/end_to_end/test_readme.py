"""What the README shows runs, and what it lists is what there is."""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lanes.queue.job import State
from ops.command import COMMANDS
from ops.embedded.stack import Stack
from producers.files.rows import read_rows
from producers.new_job import make_new_job

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_every_python_example_runs(make_stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch) -> None:
    stack = make_stack()
    stack.start_worker()
    monkeypatch.setenv("LANES_REDIS_URL", stack.redis.url)
    rows = [{"pipelineId": "pipe", "locationId": "loc", "contactId": "c"}, {"pipelineId": "pipe", "status": "opened"}]
    names: dict[str, Any] = {"datetime": datetime, "UTC": UTC, "timedelta": timedelta, "rows": rows}
    for example in blocks("python"):
        exec(compile(example, "README.md", "exec"), names)
    names["producer"].close()
    assert names["job"].state is State.DELIVERED
    assert names["job"].new is not None
    assert names["report"].accepted == 1
    assert len(names["report"].refused) == 1


SERVICE = """
def order_paid(producer, contact):
    row = {"pipelineId": "pipe", "locationId": "loc", "contactId": contact, "status": "won"}
    return producer.wait(producer.enqueue(row).job_id, timeout=5).opportunity_id
"""


def test_the_test_of_a_service_passes(tmp_path: Path) -> None:
    [example] = [block for block in blocks("python") if "def test_" in block]
    (tmp_path / "test_service.py").write_text(SERVICE + example, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert "1 passed" in done.stdout, done.stdout


def test_the_row_of_a_file_is_one(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    for example in blocks("json"):
        file.write_text(example, encoding="utf-8")
        with file.open("rb") as lines:
            assert [make_new_job(row.value).idempotency_key for row in read_rows(lines, "jsonl")] == ["k1"]


def test_every_command_of_the_readme_exists() -> None:
    for path in re.findall(r"\.venv/bin/pytest (\S+?)`", README):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`lanes ([a-z]+)", README):
        assert name in COMMANDS
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"\bmake ([a-z]+)\b", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
