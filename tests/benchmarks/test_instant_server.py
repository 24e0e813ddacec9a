import time
from pathlib import Path

import pytest
import requests

from benchmarks.api_server import ApiServer, Behaviour
from benchmarks.bodies import make_body
from benchmarks.redis_server import EVERYSEC, RedisUse, start_redis
from lanes.queue.connecting import connect
from ops.embedded.stack import Stack


def post(server: ApiServer, location: str, contact: str) -> int:
    trusted = True if server.certificate is None else str(server.certificate)
    body = make_body(location, contact)
    return requests.post(f"{server.url}/opportunities/upsert", json=body, verify=trusted, timeout=20).status_code


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_it_counts_what_is_beyond_the_limit_of_a_location(tmp_path: Path, tls: bool) -> None:
    with Stack(tmp_path) as stack:
        server = ApiServer.start(stack, Behaviour(limit=(2, 60), tls=tls))
        assert [post(server, "one", "a"), post(server, "one", "b"), post(server, "one", "c")] == [201, 201, 429]
        assert post(server, "two", "d") == 201
        assert (server.tally.count, server.tally.throttled) == (4, 1)


def test_it_answers_after_its_latency_and_knows_when_each_came(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        server = ApiServer.start(stack, Behaviour(latency=(0.2, 0.3), log=True))
        before = time.monotonic()
        assert post(server, "one", "a") == 201
        after = time.monotonic()
        assert after - before >= 0.2
        assert server.arrivals.keys() == {"a"}
        assert before <= server.arrivals["a"] <= after - 0.2
        assert server.tally.last - server.tally.first >= 0.2


def test_redis_runs_as_it_is_told_and_what_it_did_is_counted(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        start_redis(stack, EVERYSEC)
        with connect(stack.redis.url) as client:
            assert client.config_get("appendfsync")["appendfsync"] == EVERYSEC
            before = RedisUse.read(stack.redis.url)
            client.eval("for i = 1, 2000 do redis.call('HINCRBY', KEYS[1], i, 1) end", 1, "some")
            after = RedisUse.read(stack.redis.url)
        assert after.script_calls_since(before, 1000) == 2
        assert after.seconds > before.seconds
