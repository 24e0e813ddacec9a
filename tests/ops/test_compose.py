"""The Compose file, without a container engine: schema, rules, and every command line for real."""

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import redis

from lanes.settings import WorkerSettings
from lanes.settings.environment import PREFIX
from ops.make_secrets import make
from tests import real_parts
from tests.helpers import until
from tests.ops.deployment import COMPOSE, ROOT, SERVICES, Deployment, settings_of

LASTING = [name for name, service in SERVICES.items() if service["restart"] != "no"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def test_the_file_fits_the_compose_schema() -> None:
    schema = files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text("utf-8")
    jsonschema.Draft7Validator(json.loads(schema)).validate(COMPOSE)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_shut(name: str) -> None:
    service = SERVICES[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["user"].split(":")[0] not in ("0", "root")
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "env_file"} & service.keys()
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", LASTING)
def test_every_service_that_lasts_is_watched_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"].keys() == {"test", "interval", "timeout", "retries", "start_period"}
    # Whoever is called from outside must be asked within the container itself.
    assert not re.search(r"https?://(?!127\.0\.0\.1)", str(service["healthcheck"]["test"]))


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_or_built_here(name: str) -> None:
    image = SERVICES[name]["image"]
    if name in OURS:
        assert image == "highlevel-lanes:${LANES_IMAGE_TAG:-latest}"
        assert SERVICES[name]["user"] == SERVICES["worker"]["user"]
    else:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+[\w.-]*", image)


def test_only_services_that_need_redis_reach_it() -> None:
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert SERVICES["redis"]["networks"] == ["data"]
    assert "ports" not in SERVICES["redis"]
    near = {name for name, service in SERVICES.items() if "data" in service.get("networks", [])}
    users = {name: redis_users(name) for name in SERVICES}
    assert near == {"redis"} | {name for name, its_own in users.items() if its_own}
    assert users == {name: [USERS_OF[name]] if name in USERS_OF else [] for name in SERVICES}


USERS_OF = {"worker": "worker", "gateway": "gateway", "dashboard": "dashboard", "lanes": "command", "backup": "backup"}


def redis_users(name: str) -> list[str]:
    """Return which Redis URLs a service gets."""
    secrets = SERVICES[name].get("secrets", [])
    return [secret.removeprefix("redis_url_") for secret in secrets if secret.startswith("redis_url")]


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("TOKEN|KEY|PASSWORD|REDIS_URL", name) or value.startswith("/run/secrets/"), name
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_the_secrets_that_it_names_and_no_others(name: str) -> None:
    service = SERVICES[name]
    named = set(re.findall(r"/run/secrets/([\w.]+)", json.dumps(service)))
    if name == "prometheus":
        named |= set(re.findall(r"/run/secrets/([\w.]+)", (ROOT / "ops/prometheus/prometheus.yml").read_text("utf-8")))
    assert named == set(service.get("secrets", []))
    assert named <= COMPOSE["secrets"].keys()


def test_every_secret_is_used_by_a_service(tmp_path: Path) -> None:
    made = make(tmp_path / "secrets")
    names = {path.name for path in (tmp_path / "secrets").iterdir()}
    assert len(made) == len(names)
    names -= {"redis_url_producer", "redis_url_admin"}  # for the services that enqueue, and for repairs
    assert names == COMPOSE["secrets"].keys()
    assert names == {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == names
    before = {path: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert all("kept" in line for line in make(tmp_path / "secrets"))
    assert {path: path.read_text() for path in before} == before
    people = dict(line.split(":") for line in before[tmp_path / "secrets" / "dashboard_people"].splitlines())
    assert people["prometheus"] == before[tmp_path / "secrets" / "prometheus_password"]
    assert len(set(before.values())) == len(before) - 1  # two are empty, for people to fill


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_that_it_passes_on_is_one(name: str) -> None:
    given = SERVICES[name].get("environment", {})
    assert settings_of(name).keys() <= {PREFIX + field.upper() for field in WorkerSettings.model_fields}
    for setting, value in given.items():
        default = re.fullmatch(r"\$\{(\w+):-(.*)\}", value)
        if default:
            assert default[1] == setting
            field = WorkerSettings.model_fields[setting.removeprefix(PREFIX).lower()]
            caps = (
                "LANES_BURST_LIMIT",
                "LANES_DAILY_LIMIT",
            )  # set, they would be a person's, and the API's never followed
            assert default[2] == ("" if field.default is None or setting in caps else str(field.default))


def test_the_deployment_page_lists_what_an_env_file_can_set() -> None:
    used = set(re.findall(rf"\$\{{({PREFIX}\w+)", (ROOT / "docker-compose.yml").read_text("utf-8")))
    page = (ROOT / "docs/deployment.md").read_text("utf-8")
    [listed] = re.findall(r"The containers take only these .*?\. Compose skips", page, re.DOTALL)
    assert set(re.findall(rf"`({PREFIX}\w+)`", listed)) == used


def test_only_the_worker_can_read_and_spend_tokens() -> None:
    secret = {"LANES_API_TOKEN", "LANES_SECRET_KEY", "LANES_OAUTH_CLIENT_SECRET"}
    assert secret <= settings_of("worker").keys()
    assert secret & settings_of("lanes").keys() == {"LANES_SECRET_KEY"}  # for lanes token
    assert not [name for name in SERVICES if name not in ("worker", "lanes") and secret & settings_of(name).keys()]
    for name in ("dashboard", "lanes"):  # they all speak of the same budgets
        shared = settings_of(name).keys() - {"LANES_REDIS_URL"}
        assert shared
        assert {one: settings_of(name)[one] for one in shared} == {one: settings_of("worker")[one] for one in shared}


def test_every_mounted_file_is_there() -> None:
    used = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            used.add(source)
            assert source in COMPOSE["volumes"] or ((ROOT / source).exists() and volume.endswith(":ro")), volume
    assert COMPOSE["volumes"].keys() <= used


def test_what_the_monitoring_names_is_what_is_mounted_and_called() -> None:
    grafana = ROOT / "ops/grafana/provisioning"
    [path] = re.findall(r"path: (\S+?) }", (grafana / "dashboards/lanes.yml").read_text("utf-8"))
    assert f"./ops/grafana/dashboards:{path}:ro" in SERVICES["grafana"]["volumes"]
    assert "http://prometheus:9090" in (grafana / "datasources/prometheus.yml").read_text("utf-8")
    scraped = (ROOT / "ops/prometheus/prometheus.yml").read_text("utf-8")
    assert "dashboard:5555" in scraped
    assert "gateway:8000" in scraped
    assert f"port: {settings_of('worker')['LANES_METRICS_PORT']}" in scraped


@pytest.mark.parametrize("name", ["worker", "dashboard", "gateway"])
def test_an_open_request_may_be_finished_before_the_kill(name: str) -> None:
    seconds = float(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert seconds > WorkerSettings.model_fields["http_timeout_seconds"].default


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    yield made
    for child in reversed(made.children):
        child.kill()


@pytest.mark.slow
def test_every_command_line_and_health_check_does_what_it_should(deployment: Deployment) -> None:
    children = {}
    for name in ("redis", "sandbox", "worker", "dashboard", "gateway"):
        assert not deployment.healthy(name)
        children[name] = deployment.start(name)
        if name == "worker":
            until(lambda: "worker_ready" in children["worker"].output, "the worker ready")
        until(lambda name=name: deployment.healthy(name), f"{name} healthy")  # type: ignore[misc]
    url = (deployment.folder / "secrets" / "redis_url_admin").read_text().strip()
    with redis.Redis.from_url(url) as client:
        settings = client.config_get("append*") | client.config_get("maxmemory*")
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "always"
        assert settings["maxmemory-policy"] == "noeviction"
        assert int(settings["maxmemory"]) == 1 << 30
    with redis.Redis(port=int(deployment.ports["6379"])) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    row = '{"pipelineId":"pipe","locationId":"loc","contactId":"contact"}'
    job_id = deployment.run("lanes", "enqueue", "-", "--ids", stdin=row).strip()

    def delivered() -> bool:
        return bool(json.loads(deployment.run("lanes", "job", job_id, "--json"))["state"] == "delivered")

    until(delivered, "the row delivered")
    subprocess.run(deployment.command("backup"), env=deployment.environ("backup"), check=True, capture_output=True)
    assert len(list((deployment.folder / "backups").glob("lanes-*.rdb"))) == 1
    for name in ("gateway", "dashboard", "worker", "sandbox", "redis"):
        grace = float(SERVICES[name].get("stop_grace_period", "10s").removesuffix("s"))
        assert children[name].stop(grace) == 0, name
    logged = [json.loads(line) for line in children["worker"].output.splitlines() if line.startswith("{")]
    assert "worker_stopping" in {line["event"] for line in logged}
    assert not [line for line in logged if "logger" in line and line["level"] == "info"]  # --loglevel warning


@pytest.mark.slow
def test_prometheus_gets_in_where_it_has_to(deployment: Deployment) -> None:
    real_parts.prometheus()
    for name in ("redis", "dashboard", "worker", "gateway"):
        deployment.start(name)
    prometheus = deployment.start("prometheus")
    until(lambda: deployment.healthy("prometheus"), "prometheus healthy")
    until(lambda: ask(deployment, 'lanes_redis_up{job="lanes"}') == 1, "Prometheus to get in at the dashboard")
    until(lambda: ask(deployment, 'lanes_worker_slots{job="lanes-workers"}') >= 1, "Prometheus to know the worker")
    until(lambda: ask(deployment, 'up{job="lanes-gateway"}') == 1, "Prometheus to know the gateway")
    assert prometheus.stop(30) == 0


def ask(deployment: Deployment, query: str) -> float:
    """Return what Prometheus says of a query; 0 while it knows nothing."""
    where = f"http://127.0.0.1:{deployment.ports['9090']}/api/v1/query?"
    with urllib.request.urlopen(where + urllib.parse.urlencode({"query": query}), timeout=10) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


@pytest.mark.slow
def test_the_dashboard_is_closed_without_a_password(deployment: Deployment) -> None:
    deployment.start("redis")
    until(lambda: deployment.healthy("redis"), "redis healthy")
    deployment.start("dashboard")
    until(lambda: deployment.healthy("dashboard"), "dashboard healthy")
    for place in ("", "metrics", "api/workers"):
        with pytest.raises(urllib.error.HTTPError, match=r"401|403"):
            urllib.request.urlopen(f"http://127.0.0.1:{deployment.ports['5555']}/{place}", timeout=10)
    deployment.children[-1].kill()
    for people in ("", "# empty\n", None):
        path = deployment.folder / "secrets" / "dashboard_people"
        path.unlink() if people is None else path.write_text(people)
        assert deployment.start("dashboard").wait(60) == 2
