"""Celery's broker is the Redis of the lanes' own client, and is verified as that one verifies it."""

import pytest

from worker.broker import broker_of

PLAIN = {
    "redis://127.0.0.1:6379/0": "redis://127.0.0.1:6379/0",
    "redis://host": "redis://host/0",
    "redis://ada:p%40ss@host:6380/3?socket_timeout=5": "redis://ada:p%40ss@host:6380/3",
    "redis://host/1?db=2": "redis://host/2",
    "redis://[::1]:6379/0": "redis://[::1]:6379/0",
    "unix:///run/redis.sock": "redis+socket://:@/run/redis.sock?virtual_host=0",
    "unix://ada:p%2Fw@/run/redis.sock?db=4": "redis+socket://ada:p%2Fw@/run/redis.sock?virtual_host=4",
}


@pytest.mark.parametrize("url", PLAIN)
def test_without_tls(url: str) -> None:
    broker = broker_of(url)
    assert (broker.url, broker.tls) == (PLAIN[url], None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", {}),
        ("?ssl_ca_certs=/ca.pem", {"ssl_ca_certs": "/ca.pem"}),
        ("?ssl_certfile=/me.pem&ssl_keyfile=/me.key", {"ssl_certfile": "/me.pem", "ssl_keyfile": "/me.key"}),
        ("?ssl_cert_reqs=none&ssl_check_hostname=false", {"ssl_cert_reqs": "none", "ssl_check_hostname": False}),
    ],
)
def test_tls_is_verified_unless_the_address_says_otherwise(options: str, expected: dict[str, object]) -> None:
    broker = broker_of(f"rediss://:secret@host:6380/1{options}")
    assert broker.url == "rediss://:secret@host:6380/1"
    assert broker.tls == {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **expected}
