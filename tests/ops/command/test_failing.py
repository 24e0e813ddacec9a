"""How the command fails: one line, an exit status, never a traceback (`run` looks for one in every call)."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.embedded.redis_server import RedisServer, free_port
from tests.ops.command.conftest import LANES, Run, environ

CONNECTED = (
    ["status"],
    ["job", "x"],
    ["cancel", "x"],
    ["enqueue", "-"],
    ["dead", "list"],
    ["dead", "show", "x"],
    ["dead", "replay", "x"],
    ["dead", "purge", "--all", "--yes"],
    ["dead", "export"],
    ["dead", "edit", "x", "--set", "name=x"],
    ["dead", "import", "-"],
    ["dead", "prune", "--keep", "1", "--no-file"],
    ["hold", "x", "--reason", "r"],
    ["resume", "--all"],
    ["limit", "x"],
    ["check"],
)


@pytest.mark.parametrize("arguments", CONNECTED, ids=" ".join)
def test_no_redis(quick: Run, arguments: list[str]) -> None:
    shown = quick(*arguments, url=f"redis://127.0.0.1:{free_port()}/0")
    assert (shown.returncode, shown.stdout) == (3, "")
    assert shown.stderr.startswith("lanes: Redis cannot be reached: ")
    assert len(shown.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis with a password; `reader` may read and nothing else, `nobody` may do nothing."""
    reader = ["--user", *["reader", "on", ">pw", "~*", "&*", "-@all", "+@read", "+ping", "+info", "+time"]]
    users = (*reader, "--user", *["nobody", "on", ">pw", "-@all"])
    with RedisServer(tmp_path_factory.mktemp("guarded"), options=("--requirepass", "secret", *users)) as server:
        yield server.url.removeprefix("redis://")


@pytest.mark.parametrize("arguments", CONNECTED, ids=" ".join)
@pytest.mark.parametrize("user", ["", ":wrong@", "nobody:pw@"], ids=["none", "wrong password", "no rights"])
def test_a_redis_that_refuses_all_logins(quick: Run, guarded: str, user: str, arguments: list[str]) -> None:
    shown = quick(*arguments, url=f"redis://{user}{guarded}")
    assert (shown.returncode, shown.stdout) == (3, "")
    assert len(shown.stderr.splitlines()) == 1
    assert shown.stderr.startswith("lanes: Redis refuse")


def test_the_right_password(run: Run, guarded: str) -> None:
    assert run("status", url=f"redis://:secret@{guarded}").returncode == 0


def test_a_redis_that_takes_no_writes(run: Run, guarded: str) -> None:
    url = f"redis://reader:pw@{guarded}"
    assert run("status", url=url).returncode == 0
    for arguments in (["cancel", "x"], ["hold", "x", "--reason", "r"]):
        shown = run(*arguments, url=url)
        assert shown.returncode != 0
        assert len(shown.stderr.splitlines()) == 1
        assert "no permissions" in shown.stderr


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"LANES_REDIS_UL": "x"},
            "lanes: LANES_REDIS_UL: no such setting; did you mean LANES_REDIS_URL?",
        ),
        (
            {"LANES_REDIS_URL": "http://x"},
            "lanes: LANES_REDIS_URL: must begin with redis://, rediss:// (TLS) or unix://",
        ),
        ({"LANES_BURST_LIMIT": "-1"}, "lanes: LANES_BURST_LIMIT: must be more than 0 (it is '-1')"),
    ],
)
def test_a_wrong_setting(run: Run, settings: dict[str, str], line: str) -> None:
    shown = run("status", **settings)
    assert (shown.returncode, shown.stdout, shown.stderr) == (2, "", f"{line}\n")


def test_a_redis_url_with_an_unknown_option(run: Run, redis_url: str) -> None:
    shown = run("status", url=f"{redis_url}?colour=red")
    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 1
    assert "colour" in shown.stderr


def test_an_env_file_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LANES_SERVICE=\xff\n")
    shown = run("status")
    assert (shown.returncode, len(shown.stderr.splitlines())) == (2, 1)
    assert shown.stderr.startswith("lanes: .env:1: LANES_SERVICE: must be UTF-8")


def test_the_option_goes_before_the_setting(run: Run, redis_url: str) -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    assert run("--redis-url", redis_url, "status", url=away).returncode == 0
    assert run("--redis-url", redis_url, "status", url="", LANES_REDIS_URL_FILE="nowhere").returncode == 0
    assert run("status", "--redis-url", redis_url, url=away).returncode == 0
    assert run("status", "--redis-url", away).returncode == 3
    assert run("status", "--redis-url", "localhost").returncode == 2
    assert run("status", "--redis-url", "").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["staus"], "Did you mean 'status'?"),
        (["dead", "lst"], "Did you mean 'list'?"),
        (["status", "--jsn"], "Did you mean '--json'?"),
        (["job"], "Missing argument 'ID'"),
        (["job", "a\x1bb"], r"must be printable text (it is 'a\x1bb')"),
        (["enqueue", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["hold", "loc"], "Missing option '--reason'"),
    ],
)
def test_wrong_use(quick: Run, arguments: list[str], hint: str) -> None:
    shown = quick(*arguments)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert hint in shown.stderr


def test_bytes_that_are_no_text_are_wrong_use(redis_url: str, tmp_path: Path) -> None:
    for arguments in ([b"job", b"\xff"], [b"hold", b"\xff", b"--reason", b"r"], [b"hold", b"x", b"--reason", b"\xff"]):
        done = subprocess.run(
            [LANES.encode(), *arguments], capture_output=True, cwd=tmp_path, env=environ(redis_url), check=False
        )
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr


def test_a_closed_pipe_is_quiet(redis_url: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [LANES, "status", "--watch", "--interval", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environ(redis_url),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 141


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(redis_url: str, tmp_path: Path, unbuffered: str) -> None:
    env = environ(redis_url, PYTHONUNBUFFERED=unbuffered)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [LANES, "status"], stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, env=env, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"lanes: No space left on device\n")


def test_ctrl_c(redis_url: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [LANES, "status", "--watch", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environ(redis_url),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"lanes: interrupted: nothing was changed\n"
        assert process.wait(30) == 130


def test_without_its_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['click'] = None; from ops.command import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        b"lanes: click is not installed: pip install 'highlevel-lanes[cli]'\n",
    )


def test_without_the_worker_status_works_and_the_sandbox_says_what_to_install(redis_url: str, tmp_path: Path) -> None:
    for name, status in (("status", 0), ("sandbox", 2)):
        # `rich` takes a while to import, and only a terminal needs it.
        modules = ("celery", "tornado", "requests", "rich")
        missing = "".join(f"sys.modules['{module}'] = None; " for module in modules)
        code = f"import sys; {missing}sys.argv = ['lanes', '{name}']; from ops.command import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, cwd=tmp_path, env=environ(redis_url), check=False
        )
        assert done.returncode == status, done.stderr
        assert b"Traceback" not in done.stderr
    assert b"which is not installed: pip install 'highlevel-lanes[all]'" in done.stderr
