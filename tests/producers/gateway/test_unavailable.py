"""Redis that is away, full or slow; and the stop of the gateway."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError

from lanes.queue.async_store import connect
from lanes.services.service import Service
from ops.embedded.redis_server import RedisServer
from tests.helpers import row, until
from tests.producers.gateway.conftest import RunningGateway, problem, running_gateway


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway whose Redis the test may stop; it retries for a second."""
    with running_gateway(tmp_path, LANES_ENQUEUE_TIMEOUT_SECONDS="1") as running:
        yield running


def test_503_while_redis_is_away_and_the_same_key_makes_one_job(own: RunningGateway) -> None:
    body = row("away", "a")
    first = own.enqueue(body, idempotency_key="k").json()
    own.redis.kill()
    without_key = problem(own.enqueue(body), 503, "unavailable")["job_id"]
    answer = own.enqueue(body, idempotency_key="k")
    found = problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert found["job_id"]
    assert str(own.redis.port) not in answer.text
    lines = own.enqueue_lines([body] * 3)
    assert problem(lines, 503, "unavailable")["accepted"] == 0
    assert own.send("GET", "/readyz", None).status_code == 503
    assert own.send("GET", "/healthz", None).status_code == 200
    assert own.child.output.count("Redis is unavailable: ") == 1  # not a line for each request
    own.redis.start()
    again = until(lambda: (found := own.enqueue(body, idempotency_key="k")).status_code == 202 and found)
    assert again.json() == {**first, "duplicate": True}
    for _ in range(2):
        repeated = own.send("POST", f"/v1/upserts?job_id={without_key}", json=row("away", "b"))
        assert (repeated.status_code, repeated.json()["job_id"]) == (202, without_key)
    assert own.send("GET", "/readyz", None).text == "ready\n"


def test_503_while_redis_is_full(own: RunningGateway) -> None:
    assert own.enqueue(row("full", "a")).status_code == 202
    own.store.client.config_set("maxmemory", "1mb")
    answer = own.enqueue(row("full", "b"))
    assert "full" in problem(answer, 503, "unavailable")["detail"]
    assert "Retry-After" in answer.headers
    own.store.client.config_set("maxmemory", "0")


def test_no_keys_is_said(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        running = RunningGateway(server, tmp_path)
        running.start()
        answer = requests.get(f"{running.url}/readyz", timeout=30)
        assert (answer.status_code, answer.text) == (
            503,
            "no keys: an operator makes one with `lanes service key NAME`\n",
        )
        running.services.add(Service("billing"))
        running.services.make_key("billing")
        assert requests.get(f"{running.url}/readyz", timeout=30).text == "ready\n"
        running.stop()


def test_a_stop_answers_who_waits_and_accepts_nothing_more(own: RunningGateway) -> None:
    answers: list[requests.Response] = []
    waiting = [
        threading.Thread(target=lambda: answers.append(own.enqueue(row("stop", "a"), Prefer="wait=30"))),
        threading.Thread(
            target=lambda: answers.append(own.send("GET", "/v1/outcomes", params={"wait": 30}, stream=False))
        ),
    ]
    for thread in waiting:
        thread.start()
    until(lambda: "stop" in own.store.locations())
    own.child.ask_to_end()
    for thread in waiting:
        thread.join(20)
        assert not thread.is_alive()
    assert sorted(answer.status_code for answer in answers) == [200, 202]
    assert own.child.wait(20) == 0
    assert "Traceback" not in own.child.output


def test_the_long_polls_of_a_service_are_bounded(own: RunningGateway) -> None:
    def poll() -> None:
        answers.append(requests.get(f"{own.url}/v1/outcomes?wait=30", headers=headers, timeout=60))

    headers = {"Authorization": f"Bearer {own.keys['billing']}"}
    answers: list[requests.Response] = []
    threads = [threading.Thread(target=poll) for _ in range(33)]
    for thread in threads:
        thread.start()
    until(lambda: answers, "one of them refused")
    assert problem(answers[0], 429, "polls")
    assert answers[0].headers["Retry-After"] == "1"
    assert own.send("GET", "/v1/outcomes", "crm").status_code == 200
    assert own.enqueue(row("polls", "a"), Prefer="wait=30").status_code == 202  # at once
    job_id = own.enqueue(row("polls", "b")).json()["job_id"]
    own.send("DELETE", f"/v1/jobs/{job_id}")
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers[1:]] == [200] * 32


def test_a_connection_to_redis_that_has_just_ended_is_no_other_error(gateway: RunningGateway) -> None:
    async def send() -> None:
        client = connect(gateway.redis.url)
        connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        connection._writer.transport.abort()
        await asyncio.sleep(0.01)  # the transport is closed in the next turns of the loop
        with pytest.raises(RedisConnectionError):
            await connection.send_packed_command(connection.pack_command("PING"), check_health=False)
        await client.aclose()

    uvloop.run(send())
