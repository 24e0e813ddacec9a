"""Rows over HTTP while gateway processes, workers and Redis are killed: each 202 is delivered, each key is one job.

GATEWAY_ROWS=10000 is the long form.
"""

import os
import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest
import requests

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.processes import Child
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from tests.end_to_end.conftest import all_done, store_of
from tests.helpers import row, until

ROWS = int(os.environ.get("GATEWAY_ROWS", "400"))
CLIENTS = 8
KILLS = 9
LOCATIONS = 10
SETTINGS = {
    "lease_seconds": 4,
    "http_timeout_seconds": 3,
    "backoff_max_seconds": 1,
    "enqueue_timeout_seconds": 2,
    "burst_limit": 1000,
    "burst_window_seconds": 1,
}


class Client:
    """A service: sends each row with a key of its own until it gets an answer, and some of them once more."""

    def __init__(self, url: str, key: str, stop: Event) -> None:
        self._url, self._stop = url, stop
        self._headers = {"Authorization": f"Bearer {key}"}
        self.accepted: dict[str, set[str]] = {}
        self.refused = 0

    def send_all(self, numbers: range, chance: random.Random) -> None:
        with requests.Session() as session:
            session.headers.update(self._headers)
            for number in numbers:
                while not self._stop.is_set() and not self._send(session, number):
                    self._stop.wait(0.05)
                if chance.random() < 0.1:
                    self._send(session, number)

    def _send(self, session: requests.Session, number: int) -> bool:
        """Send a row; return whether it was accepted."""
        name = f"row-{number}"
        body = row(f"loc-{number % LOCATIONS}", name, monetaryValue=number)
        with suppress(requests.ConnectionError, requests.Timeout):
            answer = session.post(self._url, json=body, headers={"Idempotency-Key": name}, timeout=10)
            assert answer.status_code in (202, 503), answer.text
            self.refused += answer.status_code == 503
            if answer.status_code == 202:
                self.accepted.setdefault(name, set()).add(answer.json()["job_id"])
                return True
        return False


def kill_a_gateway_process(gateway: Child) -> None:
    """Kill one of the processes that the gateway started; it starts another one."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    serving = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    with suppress(ProcessLookupError):
        os.kill(int(random.choice(serving)), signal.SIGKILL)


@pytest.mark.timeout(1800)
def test_each_202_is_delivered_and_each_key_is_one_job(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.01-0.05", "--burst-limit", "1000", "--burst-window", "1", **SETTINGS)
    store, control, chance = store_of(stack), SandboxControl(stack.sandbox_url), random.Random(11)
    services = ServiceStore(store)
    services.add(Service("billing"))
    gateway, worker = stack.start_gateway("--workers", "2"), stack.start_worker()
    stop = Event()
    client = Client(f"{stack.gateway_url}/v1/upserts", services.make_key("billing"), stop)
    with ThreadPoolExecutor(CLIENTS) as pool:
        sending = [pool.submit(client.send_all, range(n, ROWS, CLIENTS), random.Random(n)) for n in range(CLIENTS)]
        try:
            for number in range(KILLS):
                until(lambda number=number: len(client.accepted) >= ROWS * (number + 1) // (KILLS + 2), "more accepted")  # type: ignore[misc]
                if number % 3 == 0:
                    kill_a_gateway_process(gateway)
                elif number % 3 == 1:
                    stack.redis.kill()
                    if number == 1:  # away for longer than the gateway retries
                        refused = client.refused
                        until(lambda refused=refused: client.refused > refused, "503")  # type: ignore[misc]
                    stack.redis.start()
                elif chance.random() < 0.5:
                    gateway.kill()
                    stack.children.remove(gateway)
                    gateway = stack.start_gateway("--workers", "2")
                else:
                    worker.kill()
                    stack.children.remove(worker)
                    worker = stack.start_worker(f"worker{number}")
            until(lambda: all(each.done() for each in sending), "every row accepted")
        finally:
            stop.set()
    for each in sending:
        each.result()
    until(lambda: all_done(store), "every job done")
    assert len(client.accepted) == ROWS
    assert {len(job_ids) for job_ids in client.accepted.values()} == {1}
    assert store.counts()["accepted"] == ROWS
    jobs = store.jobs([job_id for job_ids in client.accepted.values() for job_id in job_ids])
    assert {job.state for job in jobs if job} == {State.DELIVERED}
    assert {job.service for job in jobs if job} == {"billing"}
    assert sorted(record["monetaryValue"] for record in control.records()) == list(range(ROWS))
    assert list(check_consistency(store)) == []
