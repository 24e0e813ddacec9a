"""The units: what systemd itself says of them, and whether their command lines do what they should."""

import contextlib
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from lanes.settings import WorkerSettings
from lanes.settings.environment import PREFIX
from ops.embedded.processes import Child
from ops.embedded.redis_server import free_port
from ops.make_secrets import make
from tests import real_parts
from tests.helpers import until
from tests.redis_programs import redis_program

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "ops/systemd"
BIN = Path(sys.executable).parent
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
ALL = sorted(path.name for path in UNITS.glob("lanes-*") if path.is_file())
EXPOSED = 20  # of 100; up to 49 systemd says OK


def lines_of(name: str) -> list[tuple[str, str]]:
    """Return the settings of a unit with those that all services share."""
    text = (UNITS / name).read_text("utf-8")
    if name.endswith(".service"):
        text += (UNITS / "lanes-.service.d/hardening.conf").read_text("utf-8")
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.partition("=")[0], line.partition("=")[2]) for line in lines if re.match(r"[A-Z]\w+=", line)]


def value_of(name: str, setting: str) -> str:
    return [value for found, value in lines_of(name) if found == setting][-1]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as an installation has them, with the programs of this machine."""
    folder = tmp_path / "units"
    (folder / "lanes-.service.d").mkdir(parents=True)
    for path in UNITS.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8").replace("/opt/lanes/bin", str(BIN))
            text = text.replace("/usr/bin/redis-server", redis_program("valkey-9.1"))
            (folder / path.relative_to(UNITS)).write_text(text, encoding="utf-8")
    return folder


def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    names = [name.replace("@.", "@1.") for name in ALL]
    (installed / "lanes-worker@1.service").symlink_to("lanes-worker@.service")
    done = subprocess.run(
        [real_parts.systemd_analyze(), "verify", "--man=no", "--recursive-errors=no", *names],
        cwd=installed,
        env={"SYSTEMD_UNIT_PATH": f"{installed}:/lib/systemd/system"},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "lanes" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_no_more_than_is_ok(installed: Path, name: str) -> None:
    words = ["security", "--offline=yes", f"--threshold={EXPOSED}", "--no-pager", str(installed / name)]
    done = subprocess.run(
        [real_parts.systemd_analyze(), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"Overall exposure level for \S+: [01]\.\d OK", done.stdout), done.stdout[-300:]


def test_a_worker_may_finish_its_request_before_it_is_killed() -> None:
    assert value_of("lanes-worker@.service", "KillMode") == "mixed"
    seconds = float(value_of("lanes-worker@.service", "TimeoutStopSec"))
    assert seconds > WorkerSettings.model_fields["http_timeout_seconds"].default
    assert float(value_of("lanes-dashboard.service", "TimeoutStopSec")) > 10


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded_and_started_again(name: str) -> None:
    found = dict(lines_of(name))
    bound = "TimeoutStartSec" if found["Type"] == "oneshot" else "TimeoutStopSec"
    assert {"MemoryMax", "TasksMax", bound} <= found.keys()
    assert found["NoNewPrivileges"] == "yes"
    assert found["ProtectSystem"] == "strict"
    assert ("DynamicUser" in found) != ("User" in found)
    if found["Type"] != "oneshot":
        assert found["Restart"] == "always"
        # By default systemd gives up after five starts in ten seconds.
        assert found.get("StartLimitIntervalSec") == "0" or 5 * int(found["RestartSec"]) > 10
    if "/opt/lanes" in found["ExecStart"] and found["Type"] != "oneshot":
        assert found["RestartPreventExitStatus"] == "2"  # of a wrong setting


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_is_one_and_every_secret_is_handed_in_and_made(name: str, tmp_path: Path) -> None:
    make(tmp_path / "secrets", "127.0.0.1")
    made = {path.name for path in (tmp_path / "secrets").iterdir()}
    handed = dict(value.split(":") for setting, value in lines_of(name) if setting == "LoadCredential")
    assert handed == {name: f"/etc/lanes/secrets/{name}" for name in handed}
    assert handed.keys() <= made
    text = (UNITS / name).read_text("utf-8")
    assert set(re.findall(r"%d/([\w.]+)", text)) == handed.keys()
    known = {PREFIX + field.upper() for field in WorkerSettings.model_fields}
    given = [word for setting, value in lines_of(name) if setting == "Environment" for word in value.split()]
    ours = [word.partition("=")[0] for word in given if word.startswith(PREFIX)]
    assert {word.removesuffix("_FILE") for word in ours} <= known
    shared = re.findall(rf"^#? ?({PREFIX}\w+)=", (UNITS / "lanes.env").read_text("utf-8"), re.MULTILINE)
    assert set(shared) <= known


# As systemd does it for MemoryDenyWriteExecute=: no memory is both written and run (PR_SET_MDWE; Linux 6.3).
SHUT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Machine:
    """Runs the command lines of the units, with folders and ports of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis_port, self.port, self.gateway_port = (str(free_port()) for _ in range(3))
        self.children: list[Child] = []
        make(folder / "secrets", "127.0.0.1")
        (folder / "secrets" / "api_token").write_text("token-of-the-test")
        for url in (folder / "secrets").glob("redis_url_*"):
            url.write_text(url.read_text().replace(":6379", f":{self.redis_port}"))
        for name in SERVICES:
            for setting, value in lines_of(name):
                if setting == "StateDirectory":
                    (folder / value).mkdir()

    def here(self, text: str) -> str:
        text = text.replace("/opt/lanes/bin", str(BIN)).replace("/usr/bin/redis-server", redis_program("valkey-9.1"))
        text = text.replace("/etc/lanes/redis.conf", str(ROOT / "ops/redis.conf"))
        text = text.replace("6379", self.redis_port).replace("5555", self.port)
        text = text.replace("8000", self.gateway_port)
        for specifier, value in (("%d", str(self.folder / "secrets")), ("%S", str(self.folder)), ("%i", "1")):
            text = text.replace(specifier, value)
        return text.replace("%%", "%")

    def start(self, name: str) -> Child:
        given = [value for setting, value in lines_of(name) if setting == "Environment"]
        words = [self.here(word) for value in given for word in value.split()]
        environ = {"PATH": "/usr/bin:/bin", **dict(word.split("=", 1) for word in words)}
        command = [sys.executable, "-c", SHUT, *shlex.split(self.here(value_of(name, "ExecStart")))]
        child = Child(name, command, self.folder / f"{name}.log", environ=environ, folder=self.folder)
        self.children.append(child)
        return child


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    for child in reversed(made.children):
        child.kill()


@pytest.mark.slow
def test_every_command_line_does_what_it_should(machine: Machine) -> None:
    started = [machine.start("lanes-redis.service")]
    url = (machine.folder / "secrets" / "redis_url_admin").read_text().strip()
    with redis.Redis.from_url(url) as client:
        until(lambda: answers(client), "Redis to answer")
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("dir")["dir"] == str(machine.folder / "lanes-redis")
        assert client.config_get("maxmemory-clients")["maxmemory-clients"] == "40%"
    started.append(machine.start("lanes-worker@.service"))
    until(lambda: "worker_ready" in started[-1].output, "the worker ready")
    started.append(machine.start("lanes-dashboard.service"))
    until(lambda: healthy(machine.port), "the dashboard to answer")
    started.append(machine.start("lanes-gateway.service"))
    until(lambda: healthy(machine.gateway_port, "healthz"), "the gateway to answer")
    backup = machine.start("lanes-backup.service")
    assert backup.wait(60) == 0, backup.output
    assert len(list((machine.folder / "lanes-backups").glob("lanes-*.rdb"))) == 1
    for child in reversed(started):
        assert child.stop(30) == 0, child.output
    assert list((machine.folder / "lanes-dashboard").iterdir())


def answers(client: "redis.Redis") -> bool:
    with contextlib.suppress(redis.ConnectionError):
        return bool(client.ping())
    return False


def healthy(port: str, page: str = "healthcheck") -> bool:
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer,
    ):
        return bool(answer.status == 200)
    return False
