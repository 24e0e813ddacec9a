"""The Compose file and the image, without a container engine: schema, rules, and every command line for real."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import redis
import yaml

from lanes.settings import PREFIX, Settings
from ops.make_secrets import make
from ops.processes import Child
from ops.redis_server import find_redis_server, free_port
from tests.end_to_end.conftest import until

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BIN = Path(sys.executable).parent


def test_the_file_fits_the_compose_schema() -> None:
    schema = files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text("utf-8")
    jsonschema.Draft7Validator(json.loads(schema)).validate(COMPOSE)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_bounded_and_shut(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["user"].split(":")[0] not in ("0", "root")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert not re.search(r":latest$", service["image"]) or name != "redis"


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("TOKEN|KEY|PASSWORD|REDIS_URL", name) or value.startswith("/run/secrets/"), name
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])


def test_every_setting_that_it_passes_on_is_one() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = SERVICES["worker"]["environment"]
    assert {name.removesuffix("_FILE") for name in given} <= known
    for_tokens = {"LANES_SECRET_KEY_FILE", "LANES_OAUTH_CLIENT_ID", "LANES_OAUTH_CLIENT_SECRET_FILE"}
    assert for_tokens <= given.keys()
    assert SERVICES["flower"]["environment"] == {name: given[name] for name in given.keys() - for_tokens}
    for name, value in given.items():
        default = re.fullmatch(r"\$\{(\w+):-(.*)\}", value)
        if default:
            assert default[1] == name
            field = Settings.model_fields[name.removeprefix(PREFIX).lower()]
            assert default[2] == ("" if field.default is None else str(field.default))


def test_every_mounted_file_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), volume


def test_the_worker_may_finish_its_request_before_it_is_killed() -> None:
    seconds = float(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    assert seconds > Settings.model_fields["http_timeout_seconds"].default


class Deployment:
    """The command lines of the Compose file, run as they stand but for paths, ports and names of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"6379": free_port(), "5555": free_port(), "8080": free_port()}
        self.children: list[Child] = []
        make(folder / "secrets")
        (folder / "secrets" / "api_token").write_text("token-of-the-test")
        url = folder / "secrets" / "redis_url"
        url.write_text(url.read_text().replace("redis:6379", f"127.0.0.1:{self.ports['6379']}"))
        self.environ = {"PATH": f"{folder / 'bin'}:{BIN}:/usr/bin:/bin"}
        for name, value in SERVICES["worker"]["environment"].items():
            default = re.fullmatch(r"\$\{\w+:-(.*)\}", value)
            self.environ[name] = default[1] if default else self.here(value)
        self.environ["LANES_API_BASE_URL"] = f"http://127.0.0.1:{self.ports['8080']}"
        (folder / "bin").mkdir()
        (folder / "bin" / "redis-server").symlink_to(find_redis_server())
        (folder / "bin" / "redis-cli").symlink_to(
            shutil.which("redis-cli", path=str(BIN)) or shutil.which("redis-cli") or ""
        )
        (folder / "data").mkdir()

    def here(self, word: str) -> str:
        """Translate a word of a command line."""
        word = word.replace("$$", "$").replace("/run/secrets", str(self.folder / "secrets"))
        word = word.replace("/etc/redis/redis.conf", str(ROOT / "ops/redis.conf")).replace(
            "/data", str(self.folder / "data")
        )
        word = word.replace("redis-cli ping", f"redis-cli -p {self.ports['6379']} ping").replace("0.0.0.0", "127.0.0.1")
        for port, own in self.ports.items():
            word = re.sub(rf"\b{port}\b", str(own), word)
        return word

    def start(self, name: str) -> Child:
        """Start a service."""
        words = [self.here(word) for word in SERVICES[name]["command"]]
        if name == "redis":
            words += ["--port", str(self.ports["6379"])]
        words[0] = shutil.which(words[0], path=self.environ["PATH"]) or words[0]
        child = Child(name, words, self.folder / f"{name}.log", environ=self.environ, folder=self.folder)
        self.children.append(child)
        return child

    def healthy(self, name: str) -> bool:
        """Run the health check of a service."""
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        words = [self.here(word) for word in words]
        command = ["/bin/sh", "-c", words[0]] if kind == "CMD-SHELL" else words
        command[0] = shutil.which(command[0], path=self.environ["PATH"]) or command[0]
        done = subprocess.run(command, env=self.environ, cwd=self.folder, capture_output=True, check=False, timeout=120)
        return done.returncode == 0


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    yield made
    for child in reversed(made.children):
        child.kill()


def test_every_command_line_and_health_check_does_what_it_should(deployment: Deployment) -> None:
    children = {}
    for name in ("redis", "sandbox", "worker", "flower"):
        assert not deployment.healthy(name)
        children[name] = deployment.start(name)
        until(lambda name=name: deployment.healthy(name), f"{name} healthy")  # type: ignore[misc]
    url = (deployment.folder / "secrets" / "redis_url").read_text().strip()
    with redis.Redis.from_url(url) as client:
        settings = client.config_get("append*") | client.config_get("maxmemory-policy")
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "always"
        assert settings["maxmemory-policy"] == "noeviction"
    with redis.Redis(port=deployment.ports["6379"]) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    row = '{"pipelineId":"pipe","locationId":"loc","contactId":"contact"}'
    command = [str(BIN / "lanes"), "enqueue", "-", "--ids"]
    done = subprocess.run(command, env=deployment.environ, input=row, capture_output=True, text=True, check=True)
    job = [str(BIN / "lanes"), "job", done.stdout.strip(), "--json"]

    def delivered() -> bool:
        shown = subprocess.run(job, env=deployment.environ, capture_output=True, check=True).stdout
        return bool(json.loads(shown)["state"] == "delivered")

    until(delivered, "the row delivered")
    for name in ("flower", "worker", "sandbox", "redis"):
        grace = float(SERVICES[name].get("stop_grace_period", "10s").removesuffix("s"))
        assert children[name].stop(grace) == 0, name


def test_flower_is_closed_without_a_password(deployment: Deployment) -> None:
    deployment.start("redis")
    until(lambda: deployment.healthy("redis"), "redis healthy")
    deployment.start("flower")
    until(lambda: deployment.healthy("flower"), "flower healthy")
    url = f"http://127.0.0.1:{deployment.ports['5555']}/"
    opened = subprocess.run(
        [sys.executable, "-c", "import sys, requests; print(requests.get(sys.argv[1], timeout=10).status_code)", url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert opened.stdout.strip() == "401"
    (deployment.folder / "secrets" / "flower.py").unlink()
    deployment.children[-1].kill()
    until(lambda: deployment.start("flower").wait(60) not in (None, 0), "flower to refuse to start")


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


def test_the_image_runs_as_nobody_in_particular() -> None:
    users = [line[1] for line in dockerfile() if line[0] == "USER"]
    assert users == [SERVICES["worker"]["user"]]


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
    pages = Path("worker", "dashboard")
    for part in (pages / "templates", pages / "static"):
        needed = {path.name for path in (ROOT / part).rglob("*.*") if path.suffix != ".md"}
        assert needed <= {path.name for path in (target / part).rglob("*.*")}
    code = "import worker.app, ops.command.root, worker.highlevel.sandbox; from lanes import loader; "
    code += "loader.load('release', 'x:')"
    site = sysconfig.get_paths()["purelib"]
    # -S leaves the editable install of this checkout out.
    path = f"import sys; sys.path[:0] = [{str(target)!r}, {site!r}]; "
    subprocess.run([sys.executable, "-S", "-c", path + code], check=True, cwd=tmp_path, env={})
