"""The proxy injects the requested faults and no others."""

import time
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ops.embedded.redis_server import RedisServer
from tests.proxy import Proxy

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def proxy(redis_server: RedisServer, redis_url: str) -> Iterator[Proxy]:
    assert redis_url == redis_server.url
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator["redis.Redis"]:
    with redis.Redis(port=proxy.port, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)) as client:
        yield client


@pytest.fixture
def beside(redis_url: str) -> Iterator["redis.Redis"]:
    """A client that goes past the proxy."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_it_forwards_what_it_gets(proxy: Proxy, client: "redis.Redis") -> None:
    value = bytes(range(256)) * 4096
    client.set("k", value)
    assert client.get("k") == value
    assert (proxy.opened, proxy.lost) == (1, 0)


def test_a_lost_reply_is_to_a_request_that_was_executed(
    proxy: Proxy, client: "redis.Redis", beside: "redis.Redis"
) -> None:
    client.incr("n")
    proxy.lose_reply(b"INCR")
    with pytest.raises(redis.ConnectionError):
        client.incr("n")
    assert beside.get("n") == b"2"
    assert client.incr("n") == 3
    assert (proxy.opened, proxy.lost) == (2, 1)


def test_a_reply_is_cut_in_its_middle(proxy: Proxy, client: "redis.Redis") -> None:
    client.set("k", b"x" * 100_000)
    proxy.lose_reply(b"GET", after=50_000)
    with pytest.raises(redis.ConnectionError):
        client.get("k")
    assert client.strlen("k") == 100_000


def test_a_lost_request_was_not_executed(proxy: Proxy, client: "redis.Redis", beside: "redis.Redis") -> None:
    client.ping()
    proxy.lose_request(b"INCR", after=5)
    with pytest.raises(redis.ConnectionError):
        client.incr("n")
    assert beside.get("n") is None


def test_every_connection_is_cut_and_new_ones_refused_until_it_heals(proxy: Proxy, client: "redis.Redis") -> None:
    client.ping()
    proxy.refuse()
    client.ping()  # this one is open
    proxy.cut()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    proxy.heal()
    assert client.ping()


def test_a_stalled_proxy_is_silent_and_sends_held_bytes_later(
    proxy: Proxy, client: "redis.Redis", beside: "redis.Redis"
) -> None:
    client.ping()
    proxy.stall()
    with pytest.raises(redis.TimeoutError):
        client.incr("n")
    assert beside.get("n") is None
    proxy.heal()
    deadline = time.monotonic() + 30
    while beside.get("n") != b"1":
        assert time.monotonic() < deadline


def test_delay_and_rate(proxy: Proxy, client: "redis.Redis") -> None:
    client.ping()
    proxy.delay = 0.05
    began = time.monotonic()
    client.ping()
    assert time.monotonic() - began >= 0.1
    proxy.delay, proxy.rate = 0, 1000
    began = time.monotonic()
    client.set("k", b"x" * 150)
    assert time.monotonic() - began >= 0.15
