"""What the start of a command costs: a light command imports nothing heavy that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.command.conftest import environ

# Each takes a while to import. `dotenv` reads a file `.env`; those of ours are for commands that change something.
HEAVY = (
    "celery",
    "dotenv",
    "requests",
    "rich",
    "tornado",
    "lanes.activity.audit_log",
    "lanes.queue.store",
    "lanes.queue.transitions",
    "producers",
)
CODE = f"""
import gc, sys
from ops.command import main
try:
    main()
finally:
    print(*sorted(sys.modules.keys() & {set(HEAVY)}), file=sys.stderr)
    print(gc.isenabled(), gc.get_freeze_count() > 10_000, file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["status", "--json"], ["--help"]])
def test_a_light_command_imports_nothing_that_it_does_not_need(
    redis_url: str, tmp_path: Path, arguments: list[str]
) -> None:
    run = [sys.executable, "-c", CODE, *arguments]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=environ(redis_url), check=False)
    assert (done.returncode, done.stderr) == (0, "\nTrue True\n")
