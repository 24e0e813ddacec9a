"""The process: where it listens, its logs, its metrics over several processes, and its pages."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ops.embedded.redis_server import free_port
from tests.certificates import make_certificate
from tests.helpers import row, until
from tests.producers.gateway.conftest import RunningGateway, problem
from worker.metrics.catalogue import GATEWAY_METRICS, MetricKind

REFUSED: dict[tuple[str, ...], str] = {
    ("--host", "0.0.0.0"): "0.0.0.0 can be reached from other machines: add --certificate, or --behind-proxy",
    ("--host", "::"): ":: can be reached from other machines",
    ("--host", "gateway.internal"): "gateway.internal can be reached from other machines",
    ("--private-key", "key.pem"): "--private-key needs --certificate",
    ("--certificate", "missing.pem"): "does not exist",
    ("--certificate", "key.pem"): "lanes: --certificate, --private-key: no certificate with its key in PEM: ",
    ("--port", "TAKEN"): "lanes: cannot listen on 127.0.0.1, port TAKEN: Address already in use; see --host, --port",
    ("--host", "host.invalid", "--behind-proxy"): "lanes: cannot listen on host.invalid, port 8000: ",
}


@pytest.mark.parametrize("options", REFUSED)
def test_wrong_use_is_refused(gateway: RunningGateway, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "key.pem").touch()
    hint = REFUSED[options].replace("TAKEN", str(gateway.port))
    options = tuple(option.replace("TAKEN", str(gateway.port)) for option in options)
    done = subprocess.run(
        [sys.executable, "-m", "ops.command", "gateway", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "LANES_REDIS_URL": gateway.redis.url},
        timeout=60,
    )
    assert done.returncode == 2
    assert hint in " ".join(done.stderr.split())


@pytest.fixture
def start(gateway: RunningGateway, tmp_path: Path) -> Iterator[Any]:
    """Start another gateway on the same Redis."""
    started: list[RunningGateway] = []

    def start_(*options: str, **environ: str) -> RunningGateway:
        other = RunningGateway(gateway.redis, tmp_path, options, environ, gateway.keys)
        other.start()
        started.append(other)
        return other

    yield start_
    for other in started:
        other.stop()


def serving(gateway: RunningGateway) -> list[int]:
    """Return the processes that serve."""
    children = Path(f"/proc/{gateway.child.pid}/task/{gateway.child.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def counted_rows(gateway: RunningGateway, result: str = "accepted") -> float:
    text = gateway.send("GET", "/metrics", None).text
    found = re.search(rf'^lanes_gateway_rows_total\{{result="{result}",service="crm"\}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_a_row_that_is_refused_alone_is_counted(gateway: RunningGateway) -> None:
    gateway.enqueue(row("counted", "a"), "crm", idempotency_key="counted")
    before = counted_rows(gateway, "refused")
    refused = [
        gateway.enqueue(row("counted", "b"), "crm", idempotency_key="counted"),
        gateway.enqueue({}, "crm"),
        gateway.enqueue({**row("counted", "c"), "_options": {"service": "billing"}}, "crm"),
        gateway.send("POST", "/v1/upserts?job_id=*", "crm", json=row("counted", "d")),
    ]
    assert [each.status_code for each in refused] == [409, 422, 422, 422]
    assert counted_rows(gateway, "refused") - before == len(refused)


def test_several_processes_share_a_port_and_the_metrics(start: Any) -> None:
    several = start("--workers", "2", "--behind-proxy", "--host", "127.0.0.1")
    until(lambda: len(serving(several)) == 2)
    for number in range(20):
        with requests.Session() as several.session:  # another connection, perhaps to the other process
            assert several.enqueue(row("several", f"c{number}"), "crm").status_code == 202
    assert counted_rows(several) == 20
    killed = serving(several)[0]
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(found := serving(several)) == 2 and killed not in found, "another process in its place")
    until(lambda: several.send("GET", "/healthz", None).status_code == 200)
    assert counted_rows(several) == 20
    assert several.child.stop() == 0
    assert "Traceback" not in several.child.output


def test_processes_end_with_the_one_that_started_them(start: Any) -> None:
    several = start("--workers", "2")
    until(lambda: len(serving(several)) == 2)
    pids = serving(several)
    os.kill(several.child.pid, signal.SIGKILL)
    until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "the others to end")


def test_tls(gateway: RunningGateway, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "own.pem")
    port = free_port()
    command = [sys.executable, "-m", "ops.command", "gateway", "--port", str(port), "--host", "0.0.0.0"]
    environ = {**os.environ, "LANES_REDIS_URL": gateway.redis.url}
    with subprocess.Popen([*command, "--certificate", str(certificate)], env=environ, cwd=tmp_path) as process:

        def answers() -> bool:
            try:
                return requests.get(f"https://127.0.0.1:{port}/healthz", verify=str(certificate), timeout=10).ok
            except requests.ConnectionError:
                return False

        until(answers, "the gateway to answer by TLS")
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10)
        process.terminate()
        assert process.wait(30) == 0


def test_the_metrics_are_those_of_the_catalogue(gateway: RunningGateway) -> None:
    assert gateway.enqueue(row("measured", "a")).status_code == 202
    text = gateway.send("GET", "/metrics", None).text
    kinds = dict(re.findall(r"^# TYPE (lanes_\S+) (\S+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (lanes_\S+) (.*)$", text, re.MULTILINE))
    for metric in GATEWAY_METRICS:
        assert (kinds[metric.name], helps[metric.name]) == (metric.kind.value, metric.description)
        suffix = "_bucket" if metric.kind is MetricKind.HISTOGRAM else ""
        (labels, *_) = re.findall(rf"^{metric.name}{suffix}\{{(.*)\}} ", text, re.MULTILINE)
        assert set(re.findall(r'(\w+)="', labels)) - {"le"} == set(metric.labels)
    assert len([name for name in kinds if not name.endswith("_created")]) == len(GATEWAY_METRICS)


def test_refused_rows_are_counted_alone_and_in_a_batch(gateway: RunningGateway) -> None:
    before = counted_rows(gateway, "refused")
    for body in ({}, 3, {**row("refused", "a"), "_options": {"service": "billing"}}):
        problem(gateway.enqueue(body, "crm"), 422, "invalid")
    for name in ("a", "b"):
        gateway.enqueue(row("refused", "a", name=name), "crm", idempotency_key="refused")
    gateway.enqueue_lines([{}, row("refused", "a")], "crm")
    assert counted_rows(gateway, "refused") == before + 5


def test_the_documentation_contacts_no_other_host(gateway: RunningGateway) -> None:
    answer = gateway.send("GET", "/docs", None)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert set(re.findall(r"""(?:src|href|action)=["']?([^"'>]*)""", answer.text)) == {"/openapi.json"}
    assert "url(" not in answer.text
    assert "<script" not in answer.text
    for path in gateway.send("GET", "/openapi.json", None).json()["paths"]:
        assert path in answer.text
    for found in re.findall(r'"/docs#([\w-]+)"', answer.text):
        assert f'id="{found}"' in answer.text


def test_every_answer_is_shut(gateway: RunningGateway) -> None:
    for path in ("/docs", "/v1/outcomes", "/unknown"):
        answer = gateway.send("GET", path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers
