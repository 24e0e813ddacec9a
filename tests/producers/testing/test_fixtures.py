"""The fixtures, in a run of pytest as a service has it."""

import subprocess
import sys
from pathlib import Path

import pytest

TEST = """
pytest_plugins = ["producers.testing.fixtures"]


def test_first(opportunity_producer):
    opportunity_producer.enqueue({"pipelineId": "p", "locationId": "l", "contactId": "c"})


def test_each_test_has_its_own(opportunity_producer, async_opportunity_producer):
    assert opportunity_producer.jobs == async_opportunity_producer.jobs == []
"""


def pytest_run(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_fixtures_of_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_service.py").write_text(TEST, encoding="utf-8")
    done = pytest_run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_without_the_plugin_there_are_no_fixtures(tmp_path: Path) -> None:
    """Whoever has the package installed for something else gets no fixtures of ours."""
    (tmp_path / "test_service.py").write_text(TEST.replace("pytest_plugins", "nothing"), encoding="utf-8")
    done = pytest_run(tmp_path)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "fixture 'opportunity_producer' not found" in done.stdout
