"""The command lines of the Compose file, run unchanged, except paths, ports and host names."""

import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from lanes.settings.environment import PREFIX
from ops.embedded.processes import Child
from ops.embedded.redis_server import free_port
from ops.make_secrets import make
from tests.redis_programs import redis_program

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BIN = Path(sys.executable).parent
PORTS = ("6379", "5555", "8000", "8080", "9090", "9101")
TOKEN = "token-of-the-test"


class Deployment:
    """All services in one folder, each with the environment, the secrets and the command line of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in PORTS}
        self.children: list[Child] = []
        make(folder / "secrets")
        (folder / "secrets" / "api_token").write_text(TOKEN)
        for url in (folder / "secrets").glob("redis_url_*"):
            url.write_text(url.read_text().replace("redis:6379", f"127.0.0.1:{self.ports['6379']}"))
        (folder / "bin").mkdir()
        (folder / "bin" / "redis-server").symlink_to(redis_program("valkey-9.1"))
        (folder / "bin" / "redis-cli").symlink_to(
            shutil.which("redis-cli", path=str(BIN)) or shutil.which("redis-cli") or ""
        )
        for name in ("data", "backups", "prometheus"):
            (folder / name).mkdir()
        self.path = f"{folder / 'bin'}:{BIN}:/usr/bin:/bin"
        self._configure_prometheus()

    def _configure_prometheus(self) -> None:
        shutil.copytree(ROOT / "ops/prometheus", self.folder / "etc-prometheus")
        path = self.folder / "etc-prometheus" / "prometheus.yml"
        configuration = yaml.safe_load(path.read_text("utf-8"))
        for job in configuration["scrape_configs"]:
            job["scrape_interval"] = "1s"
            for names in job.pop("dns_sd_configs", ()):  # no name is asked for outside of this machine
                assert set(names["names"]) <= SERVICES.keys()
                job["static_configs"] = [{"targets": [f"127.0.0.1:{names['port']}"]}]
        text = re.sub(r"\b(dashboard|gateway):", "127.0.0.1:", yaml.safe_dump(configuration))
        path.write_text(self.here(text), encoding="utf-8")

    def environ(self, name: str) -> dict[str, str]:
        """Return the environment of a service."""
        found = {"PATH": self.path}
        for setting, value in SERVICES[name].get("environment", {}).items():
            default = re.fullmatch(r"\$\{\w+:-(.*)\}", value)
            found[setting] = default[1] if default else self.here(value)
        if "LANES_API_BASE_URL" in found:
            found["LANES_API_BASE_URL"] = f"http://127.0.0.1:{self.ports['8080']}"
        return found

    def here(self, text: str) -> str:
        """Translate a word of a command line."""
        text = text.replace("$$", "$").replace("/run/secrets", str(self.folder / "secrets"))
        text = text.replace("/etc/redis/redis.conf", str(ROOT / "ops/redis.conf"))
        for inside, outside in (("/etc/prometheus", "etc-prometheus"), ("/prometheus", "prometheus")):
            text = re.sub(rf"(?<![\w-]){inside}(?=/|$)", str(self.folder / outside), text)
        for inside in ("/data", "/backups"):
            text = re.sub(rf"(?<!\w){inside}(?=/|$)", f"{self.folder}{inside}", text)
        text = text.replace("--timeout 10", "--timeout 3")  # of a health check: it is asked again here
        text = text.replace("redis-cli ", f"redis-cli -p {self.ports['6379']} ").replace("0.0.0.0", "127.0.0.1")
        for port, own in self.ports.items():
            text = re.sub(rf"\b{port}\b", own, text)
        return text

    def command(self, name: str) -> list[str]:
        """Return the command line of a service."""
        service = SERVICES[name]
        words = [self.here(word) for word in (*service.get("entrypoint", ()), *service["command"])]
        if name == "redis":
            words += ["--port", self.ports["6379"]]
        words[0] = shutil.which(words[0], path=self.path) or words[0]
        return words

    def start(self, name: str) -> Child:
        """Start a service."""
        log = self.folder / f"{name}.log"
        child = Child(name, self.command(name), log, environ=self.environ(name), folder=self.folder)
        self.children.append(child)
        return child

    def run(self, *words: str, service: str = "lanes", stdin: str = "") -> str:
        """Run a command as a service has it, and return what it prints."""
        command = [str(BIN / words[0]), *words[1:]]
        done = subprocess.run(
            command, env=self.environ(service), cwd=self.folder, input=stdin, capture_output=True, text=True, check=True
        )
        return done.stdout

    def healthy(self, name: str) -> bool:
        """Run the health check of a service."""
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        words = [self.here(word) for word in words]
        if words[0] == "wget" and shutil.which("wget") is None:
            return _answers(words[-1])
        command = ["/bin/sh", "-c", words[0]] if kind == "CMD-SHELL" else words
        command[0] = shutil.which(command[0], path=self.path) or command[0]
        environ = self.environ(name)
        done = subprocess.run(command, env=environ, cwd=self.folder, capture_output=True, check=False, timeout=120)
        return done.returncode == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def settings_of(name: str) -> dict[str, str]:
    """Return the settings that a service is given, by their names without `_FILE`."""
    given = SERVICES[name].get("environment", {})
    return {key.removesuffix("_FILE"): value for key, value in given.items() if key.startswith(PREFIX)}
