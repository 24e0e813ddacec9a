"""A producer says at once what a worker would refuse to start on, and asks for it once. Each case on both producers."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from lanes.settings import ProducerSettings
from ops.embedded.redis_server import RedisServer
from tests.producers.conftest import OK, MakeProducer

RISKS = {
    "eviction": (("--maxmemory-policy", "allkeys-lru"), "maxmemory-policy is allkeys-lru: a full Redis would"),
    "no file": (("--appendonly", "no"), "appendonly is off: a crash of Redis loses what was accepted since the last"),
    "safe": ((), None),
    "without INFO": (("--appendonly", "no", "--rename-command", "INFO", ""), None),
}


@contextlib.contextmanager
def server_with(folder: Path, options: tuple[str, ...]) -> Iterator["redis.Redis"]:
    with RedisServer(folder, options=options) as server, redis.Redis(port=server.port) as client:
        yield client


@pytest.mark.parametrize("name", RISKS)
def test_a_risk_is_one_line_at_the_first_enqueue(
    make_producer: MakeProducer, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    options, line = RISKS[name]
    with server_with(tmp_path / "redis", options) as client:
        port = client.connection_pool.connection_kwargs["port"]
        producer = make_producer(ProducerSettings(redis_url=f"redis://127.0.0.1:{port}/0"))
        assert producer.enqueue_many([OK, {**OK, "contactId": "b"}]).accepted == 2
        for _ in range(5):
            producer.enqueue(OK)
        if name != "without INFO":
            # Of the producer itself: once; of the script, for its memory guard: once a call.
            assert client.info("commandstats")["cmdstat_info"]["calls"] <= 1 + 6 + 1
        warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [warning.startswith(f"LANES_REDIS_URL: {line}") for warning in warnings] == ([True] if line else [])
