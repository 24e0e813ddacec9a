"""The image, without a container engine: what it copies, who it runs as, and that what it holds is enough."""

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.ops.deployment import ROOT, SERVICES


def dockerfile() -> list[list[str]]:
    text = (ROOT / "ops/Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [shlex.split(line) for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_is_built_from_files_that_are_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = [
        word for line in dockerfile() if line[0] == "COPY" and not line[1].startswith("--") for word in line[1:-1]
    ]
    assert set(copied) == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_runs_as_an_unprivileged_user() -> None:
    users = [line[1] for line in dockerfile() if line[0] == "USER"]
    assert users == [SERVICES["worker"]["user"]]


def test_it_is_built_in_stages_from_pinned_parts() -> None:
    bases = [line for line in dockerfile() if line[0] == "FROM"]
    assert len(bases) == 2
    for base in bases:
        assert re.fullmatch(rf"python:{sys.version_info.major}\.11-slim-[a-z]+", base[1])
    [locked] = [line for line in dockerfile() if "requirements.lock" in line and line[0] == "RUN"]
    assert {"--require-hashes", "--no-deps"} <= set(locked)
    assert not any("apt-get" in line for line in dockerfile())


def test_it_is_a_worker_by_itself_and_is_watched_as_one() -> None:
    worker = SERVICES["worker"]
    [command] = [line[1:] for line in dockerfile() if line[0] == "CMD"]
    assert [word.strip("[],") for word in command] == worker["command"]
    [check] = [line for line in dockerfile() if line[0] == "HEALTHCHECK"]
    kind, words = worker["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert " ".join(check).endswith(" CMD " + words.replace("$$", "$"))


@pytest.mark.slow
def test_what_the_image_copies_is_all_that_it_needs(tmp_path: Path) -> None:
    """Build the wheel from the copied files alone, and run from what is in it."""
    source = tmp_path / "build"
    for line in dockerfile():
        if line[0] == "COPY" and not line[1].startswith("--"):
            for name in line[1:-1]:
                ignored = shutil.ignore_patterns("secrets", "__pycache__", "*.egg-info")
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, source / name, ignore=ignored)
                else:
                    source.mkdir(exist_ok=True)
                    shutil.copy(ROOT / name, source / name)
    target = tmp_path / "site"
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", *install, str(source)], check=True, capture_output=True)
    assert (target / "ops" / "redis.conf").exists()
    pages = Path("worker", "dashboard")
    for part in (pages / "templates", pages / "static"):
        needed = {path.name for path in (ROOT / part).rglob("*.*") if path.suffix != ".md"}
        assert needed <= {path.name for path in (target / part).rglob("*.*")}
    code = "import worker.app, ops.command.root, ops.sandbox; from lanes.storage import scripts; "
    code += "scripts.load('release')"
    site = sysconfig.get_paths()["purelib"]
    # -S leaves the editable install of this checkout out.
    path = f"import sys; sys.path[:0] = [{str(target)!r}, {site!r}]; "
    subprocess.run([sys.executable, "-S", "-c", path + code], check=True, cwd=tmp_path, env={})
