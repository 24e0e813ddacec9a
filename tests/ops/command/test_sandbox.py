"""`lanes sandbox`: answers until it is stopped."""

import subprocess
import urllib.request
from pathlib import Path

from tests.ops.command.conftest import LANES, Run, environ


def test_it_answers_until_it_is_stopped(tmp_path: Path) -> None:
    with subprocess.Popen(
        [LANES, "sandbox", "--port", "0", "--known-pipeline", "pipe"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=environ("redis://127.0.0.1:1/0"),
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().split()[-1]
        with urllib.request.urlopen(f"{url}/_sandbox/health", timeout=30) as answer:
            assert answer.status == 200
        process.terminate()
        assert process.wait(30) == 0


def test_wrong_options_are_reported(run: Run) -> None:
    shown = run("sandbox", "--window", "square")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "square" in shown.stderr
