"""Hints can be typed as they are printed, also where the PATH has no `lanes`."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ops.command.conftest import LANES, environ


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the program in `.venv/bin`, as in a clone."""
    program = tmp_path / ".venv" / "bin" / "lanes"
    program.parent.mkdir(parents=True)
    program.symlink_to(LANES)
    return tmp_path


@pytest.mark.parametrize(
    ("where", "typed"),
    [
        (".", ".venv/bin/lanes"),
        (".venv/bin", "./lanes"),
        ("elsewhere", "{clone}/.venv/bin/lanes"),
        (".", "lanes"),
    ],
)
def test_a_hint_names_the_program_as_it_can_be_typed(
    redis_url: str, clone: Path, enqueue: Callable[..., str], where: str, typed: str
) -> None:
    job_id = enqueue()
    (clone / "elsewhere").mkdir()
    env = environ(redis_url, PATH=os.defpath if "/" in typed else f"{clone}/.venv/bin{os.pathsep}{os.defpath}")
    typed = typed.format(clone=clone)

    def stderr(*arguments: str) -> str:
        # Through a shell, which finds the program as for a person.
        line = ["sh", "-c", f'{typed} "$@"', "sh", *arguments]
        return subprocess.run(line, cwd=clone / where, env=env, capture_output=True, text=True, check=False).stderr

    assert f"resume it with: {typed} resume loc\n" in stderr("hold", "loc", "--reason", "to look")
    assert stderr("dead", "show", job_id).endswith(f"it is pending; see {typed} job {job_id}\n")
    assert f"Try '{typed} cancel --help' for help." in stderr("cancel")
