"""A missing part is a skip that says why, and in CI a failure."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import real_parts
from tests.redis_programs import PROGRAMS, missing_servers, redis_program

PARTS = [
    real_parts.chromium,
    real_parts.prometheus,
    real_parts.promtool,
    real_parts.systemd_analyze,
    real_parts.node,
    real_parts.npm,
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_what_is_missing_is_named(
    part: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("nothing")))
    monkeypatch.delenv("LANES_REQUIRE_REAL_PARTS", raising=False)
    name = part.__name__.replace("_", "-")
    with pytest.raises(pytest.skip.Exception, match=f"no {name} on the PATH; ops/install_real_parts"):
        part()
    monkeypatch.setenv("LANES_REQUIRE_REAL_PARTS", "1")
    with pytest.raises(pytest.fail.Exception, match=f"no {name} on the PATH; ops/install_real_parts"):
        part()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_what_is_there_is_found(part: Callable[[], str]) -> None:
    assert part().startswith("/")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any server; the empty folder on its PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("ops.embedded.redis_server.find_spec", lambda _: None)
    monkeypatch.setattr("tests.redis_programs.find_spec", lambda _: None)
    (tmp_path / "valkey-server").touch(mode=0o755)
    return tmp_path


def outcome(name: str) -> str:
    with pytest.raises((pytest.skip.Exception, pytest.fail.Exception), match=f"no {name}: ") as caught:
        redis_program(name)
    return "failed" if caught.type is pytest.fail.Exception else "skipped"


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("python", "outcomes"),
    [
        ((3, 12), {"valkey-9.1": "failed", "redis-7.0": "failed", "redis-6.2": "failed"}),
        ((3, 13), {"valkey-9.1": "failed", "redis-7.0": "failed", "redis-6.2": "skipped"}),
    ],
)
def test_a_missing_server_fails_only_if_ci_should_have_brought_it(
    monkeypatch: pytest.MonkeyPatch, python: tuple[int, int], outcomes: dict[str, str]
) -> None:
    monkeypatch.setattr("tests.redis_programs.sys.version_info", python)
    monkeypatch.setattr("tests.redis_programs.platform.machine", lambda: "x86_64")
    monkeypatch.delenv("LANES_REQUIRE_REAL_PARTS", raising=False)
    assert {name: outcome(name) for name in PROGRAMS} == dict.fromkeys(PROGRAMS, "skipped")
    monkeypatch.setenv("LANES_REQUIRE_REAL_PARTS", "1")
    assert {name: outcome(name) for name in PROGRAMS} == outcomes


def test_the_server_of_another_distribution_is_not_expected(
    nothing_installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nothing_installed / "redis-server").write_text("#!/bin/sh\necho Redis server v=8.0.2 sha=0\n", encoding="utf-8")
    (nothing_installed / "redis-server").chmod(0o755)
    monkeypatch.setenv("LANES_REQUIRE_REAL_PARTS", "1")
    assert outcome("redis-7.0") == "skipped"
    assert missing_servers()["redis-7.0"].endswith("redis-server is Redis 8.0")


def test_a_run_says_which_servers_are_missing(tmp_path: Path) -> None:
    one = "tests/ops/test_redis_server.py::test_a_torn_transaction_is_whole_or_gone_for_good[1-redis-7.0]"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", one],
        cwd=Path(__file__).parents[1],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert " 1 skipped in " in done.stdout.splitlines()[-1]
    assert "of 3 Redis servers: valkey-9.1" in done.stdout
    assert "redis-7.0 is missing: no redis-server on the PATH; ops/install_real_parts installs it" in done.stdout
