"""`lanes dashboard`: what it refuses, in one line, and what it says."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flower.options import default_options

from lanes.errors import SettingsError
from lanes.settings import DashboardSettings, WorkerSettings
from ops.command import COMMANDS
from worker.app import make_app, make_dashboard_app
from worker.dashboard.access import AccessPolicy, AccessPolicyError
from worker.dashboard.options import access_policy


@pytest.fixture
def fresh_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Flower's options are those of a process; give them and the logging that they set up back as they were."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FLOWER_")]:
        monkeypatch.delenv(name)
    known = default_options._options
    kept = {name: option._value for name, option in known.items()}
    level = logging.getLogger().level
    yield
    for name, value in kept.items():
        known[name]._value = value
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        (["--address=0.0.0.0"], {}, "--address=0.0.0.0 would be open to others"),
        ([], {"FLOWER_ADDRESS": "0.0.0.0"}, "--address=0.0.0.0 would be open to others"),
        (["--conf=open.py"], {}, "--address=0.0.0.0 would be open to others"),
        ([], {"FLOWER_UNAUTHENTICATED_API": "true"}, "FLOWER_UNAUTHENTICATED_API would let anyone start tasks"),
        ([], {"FLOWER_UNAUTHENTICATED_API": "perhaps"}, "Flower's options: "),
        (["--unix_socket=f.sock"], {}, "--unix_socket=f.sock is open to every user"),
        (["--bsic_auth=a:b", "--address=0.0.0.0"], {}, "did you mean --basic_auth?"),
        (["basic_auth=a:b"], {}, "Flower has no such option"),
        (["--port=many"], {}, "Flower's options: "),
        (["--conf=missing.py"], {}, "Flower's options: "),
        (["--conf=broken.py"], {}, "Flower's options: "),
        (["--basic_auth=ana"], {}, "basic_auth: entry 1 is not user:password"),
        ([], {"FLOWER_BASIC_AUTH": ""}, "basic_auth: entry 1 is not user:password"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("fresh_options")
def test_insecure_or_mistyped_options_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], environ: dict[str, str], said: str
) -> None:
    (tmp_path / "open.py").write_text("address = '0.0.0.0'")
    (tmp_path / "broken.py").write_text("port = 1 / 0")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AccessPolicyError) as refused:
        access_policy(arguments)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("fresh_options")
def test_passwords_come_from_one_place() -> None:
    with pytest.raises(AccessPolicyError, match="keep one of the two"):
        access_policy(["--basic_auth=a:b"], ["ana:secret"])


@pytest.mark.usefixtures("fresh_options")
def test_with_authentication_it_listens_on_the_given_address() -> None:
    assert access_policy(["--address=0.0.0.0", "--read-only"], ["ana:secret"]) == AccessPolicy(
        basic_auth=True, read_only=True
    )
    assert default_options.address == "0.0.0.0"
    assert default_options.basic_auth == ["ana:secret"]


@pytest.mark.usefixtures("fresh_options")
def test_the_configuration_file_of_flower_is_read(tmp_path: Path) -> None:
    (tmp_path / "flowerconfig.py").write_text("auth = 'ana@example.com'\naddress = '0.0.0.0'\n")
    assert access_policy([]) == AccessPolicy(oauth=True)


@pytest.mark.usefixtures("fresh_options")
def test_without_authentication_it_listens_on_loopback() -> None:
    assert access_policy([]) == AccessPolicy()
    assert default_options.address == "127.0.0.1"


def run(folder: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANES_", "FLOWER_"))} | environ
    command = [sys.executable, "-m", "ops.command", "dashboard", *arguments]
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False, timeout=60)


def test_a_refusal_is_one_line_and_wrong_use(tmp_path: Path) -> None:
    done = run(tmp_path, "--address", "0.0.0.0")
    assert done.returncode == 2
    assert done.stderr.startswith("lanes: --address=0.0.0.0 would be open to others")
    assert done.stderr.count("\n") == 1


def test_settings_of_workers_do_not_stop_the_dashboard(tmp_path: Path) -> None:
    wrong = {"LANES_LEASE_SECONDS": "10", "LANES_HTTP_TIMEOUT_SECONDS": "20", "LANES_MAX_ATTEMPTS": "many"}
    with pytest.raises(SettingsError):
        WorkerSettings.load(wrong, env_file=None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, "--redis-url", "redis://127.0.0.1:1/0", "--port", str(port), **wrong)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"lanes: cannot listen on 127.0.0.1, port {port}: ")


def test_the_app_of_the_dashboard_has_the_broker_of_the_workers() -> None:
    of_workers = make_app(WorkerSettings(redis_url="redis://127.0.0.1:1/7", prefix="other:"))
    of_dashboard = make_dashboard_app(DashboardSettings(redis_url="redis://127.0.0.1:1/7", prefix="other:"))
    assert of_dashboard.conf.broker_url == of_workers.conf.broker_url == "redis://127.0.0.1:1/7"
    assert of_dashboard.conf.broker_transport_options == of_workers.conf.broker_transport_options
    assert of_dashboard.conf.broker_transport_options["global_keyprefix"] == "other:celery:"
    assert of_dashboard.tasks.keys() == of_workers.tasks.keys()


def test_a_file_without_passwords_admits_no_one(tmp_path: Path) -> None:
    (tmp_path / "people").write_bytes(b"ana\n\xff\n")
    done = run(tmp_path, "--basic-auth-file", "people", "--address", "0.0.0.0")
    assert done.returncode == 2
    assert done.stderr == "lanes: people: line 2 is not UTF-8: save the file as UTF-8\n"


def test_help_lists_flowers_options_too(tmp_path: Path) -> None:
    ours = run(tmp_path, "--help")
    assert ours.returncode == 0
    assert "lanes dashboard -- --url_prefix=flower --read_only" in ours.stdout
    flowers = run(tmp_path, "--", "--help")
    assert flowers.returncode == 0
    assert "--url-prefix" in flowers.stderr


def test_the_command_is_listed() -> None:
    assert "dashboard" in COMMANDS
