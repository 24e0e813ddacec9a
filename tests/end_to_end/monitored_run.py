"""A run with every outcome, with a dashboard and a worker that export metrics, and a real Prometheus."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.queue.transitions import Consumer, DefaultLimits
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.redis_server import free_port
from ops.embedded.stack import Stack
from ops.sandbox import Fault, FaultKind, SandboxControl
from producers import OpportunityProducer
from tests.end_to_end.prometheus_server import Prometheus
from tests.helpers import row, until

SECRET = "Name-That-Stays-Home"
LIMITS = DefaultLimits(100, 10, 200_000)
PROMETHEUS = ("prometheus", "a password")  # the name is that of the configuration


@dataclass(frozen=True)
class MonitoredRun:
    """What has run, and its monitoring."""

    stack: Stack
    store: LaneStore
    sandbox: SandboxControl
    prometheus: Prometheus
    worker_metrics: str

    def dashboard(self) -> str:
        """Return the dashboard's metrics."""
        return requests.get(f"{self.stack.flower_url}/metrics", auth=PROMETHEUS, timeout=30).text

    def worker(self, path: str = "/metrics") -> str:
        """Return the worker's metrics."""
        return requests.get(f"http://{self.worker_metrics}{path}", timeout=30).text

    def status(self) -> dict[str, Any]:
        """Return what `lanes status --json` says."""
        command = [str(Path(sys.executable).with_name("lanes")), "status", "--json"]
        done = subprocess.run(command, env=self.stack.environ, cwd=self.stack.folder, capture_output=True, check=True)
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown


DELIVERED = 6  # of those below


def enqueue_for_every_outcome(stack: Stack, store: LaneStore, producer: OpportunityProducer) -> None:
    """Let a job come to each of the outcomes that there are, once a worker is there."""
    sandbox = SandboxControl(stack.sandbox_url)
    sandbox.inject(Fault(kind=FaultKind.STATUS, status=500, first=1, contact_prefix="c-flaky"))
    sandbox.inject(Fault(kind=FaultKind.STATUS, status=500, contact_prefix="c-broken"))
    sandbox.inject(Fault(kind=FaultKind.STATUS, status=429, retry_after=1, contact_prefix="c-limit", times=1))
    sandbox.inject(Fault(kind=FaultKind.STATUS, status=400, contact_prefix="c-refused"))
    sandbox.inject(Fault(kind=FaultKind.STATUS, status=401, location="held"))
    producer.enqueue(row("silent", "c-silent", name=SECRET))
    assert store.release(Consumer("orphan", lease=0.01, retention=60, limits=LIMITS)).next  # never reported
    for contact in ("c-good", "c-flaky-1", "c-flaky-2", "c-broken", "c-refused-1", "c-refused-2", "c-refused-3"):
        producer.enqueue(row("loc", contact, name=SECRET))
    producer.enqueue(row("slow", "c-limit", name=SECRET))
    producer.enqueue(row("held", "c-first", name=SECRET))
    for status in ("open", "won", "lost"):
        producer.enqueue(row("loc", "c-merged", name=SECRET, status=status), merge=True)
    producer.cancel(producer.enqueue(row("loc", "c-cancelled", name=SECRET)).job_id)
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    producer.enqueue(row("loc", "c-expired", name=SECRET), expires_at=soon)
    until(lambda: datetime.now(UTC) > soon, "its time to be over")


@contextmanager
def start_monitored_run(folder: Path) -> Iterator[MonitoredRun]:
    """Run it, and wait until Prometheus has seen how it ended."""
    port = free_port()
    settings = {"MAX_ATTEMPTS": 2, "BACKOFF_BASE_SECONDS": 0.05, "METRICS_PORT": port, "SECRET_KEY": ""}
    stack = Stack(folder / "stack", {f"LANES_{name}": str(value) for name, value in settings.items() if value != ""})
    with ExitStack() as ends:
        ends.callback(stack.stop)
        stack.start_redis()
        stack.start_sandbox()
        store = LaneStore(ends.enter_context(connect(stack.redis.url)))
        producer = ends.enter_context(OpportunityProducer.from_settings(stack.load_settings()))
        ServiceStore(store).add(Service("crm", max_pending=1000))
        store.client.xgroup_create(store.key("outcomes", "crm"), "group", id="0", mkstream=True)
        enqueue_for_every_outcome(stack, store, producer)
        people = stack.folder / "people"
        people.write_text(":".join(PROMETHEUS))
        dashboard = stack.start_dashboard("--basic-auth-file", str(people))
        worker = stack.start_worker()
        gateway = stack.start_gateway()
        assert requests.get(f"{stack.gateway_url}/readyz", timeout=30).status_code == 503  # there are no keys
        headers = {"Authorization": f"Bearer {ServiceStore(store).make_key('crm')}"}
        assert requests.post(f"{stack.gateway_url}/v1/upserts", json={}, headers=headers, timeout=30).status_code == 422
        ports = {"lanes": stack.flower_port, "lanes-gateway": stack.gateway_port, "lanes-workers": port}
        targets = {job: f"127.0.0.1:{its_port}" for job, its_port in ports.items()}
        prometheus = Prometheus(folder / "prometheus", targets, PROMETHEUS[1])
        ends.callback(prometheus.child.kill)
        until(lambda: store.counts()["delivered"] == DELIVERED and store.read_lanes(["held"])[0].hold, "all outcomes")
        producer.enqueue(row("held", "c-behind", name=SECRET))
        until(
            lambda: (left := store.counts())["pending"] == 1 and not left["in_flight"], "one job left, in a held lane"
        )
        monitored_run = MonitoredRun(
            stack, store, SandboxControl(stack.sandbox_url), prometheus, targets["lanes-workers"]
        )
        for seen in (
            f"lanes_jobs_accepted_total == {store.counts()['accepted']}",
            "lanes_worker_slots",
            'lanes_gateway_requests_total{status="503"}',
        ):
            stack.until(lambda what=seen: bool(prometheus.series(what)), prometheus.child, dashboard, worker, gateway)  # type: ignore[misc]
        yield monitored_run
