"""The URL of a Redis: each option is checked when it is read, and a password that is not encoded gets its codes."""

from pathlib import Path

import pytest

from lanes.errors import SettingsError
from lanes.queue.async_store import connect as connect_async
from lanes.queue.connecting import connect
from lanes.settings.redis_options import OPTIONS
from lanes.settings.redis_url import check_redis_url
from tests.certificates import make_certificate

ADDRESSES = {
    "redis://:pa/ss@h": "must have %2F for / in its user or password",
    "redis://:pa[ss@h": "must have %5B for [ in its user or password",
    "redis://:pa]ss@h": "must have %5D for ] in its user or password",
    "redis://:pa[s]s@h": "must have %5B for [, %5D for ] in its user or password",
    "redis://:pa@ss@h": "must have %40 for @ in its user or password",
    "redis://:pa#ss@h": "must have %23 for # in its user or password",
    "redis://:pa?ss@h": "must have %3F for ? in its user or password",
    "redis://:pa%ss@h": "must have %25 for % in its user or password",
    "redis://:pa ss@h": "must have %20 for   in its user or password",
    "redis://:1/2@h": "must have %2F for / in its user or password",
    "redis://:1?2@h": "must have %3F for ? in its user or password",
    "redis://pass/word:x@h/0?client_name=me": "must have %2F for / in its user or password",
    "unix://me:pa/ss@/run/redis.sock": "must have %2F for / in its user or password",
    "redis://h:70000": "must have a number from 1 to 65535 for its port",
    "redis://h:0": "must have a number from 1 to 65535 for its port",
    "redis://<host>:6379": "must have the name of one host",
    "redis://a,b/0": "must have the name of one host",
    "redis://h/0 # note": "must be without white space",
    "redis://h\n/0": "must be without white space",
    "redis://h/1234567": "must name its database by a number",
    "unix://run/redis.sock": "must have three slashes",
    "unix://": "must have three slashes",
    "REDIS://h": "must begin with redis://",
    "valkey://h": "must begin with redis://",
}
OPTION_ERRORS = {
    "rediss://h?ssl_cert_reqs=CERT_REQUIRED": "another value for ssl_cert_reqs: required or optional or none",
    "rediss://h?ssl_ca_certs=/nope.pem": "another value for ssl_ca_certs: there is no file '/nope.pem'",
    "rediss://h?ssl_ca_path=/nope": "another value for ssl_ca_path: there is no folder '/nope'",
    "rediss://h?ssl_certfile=/a@b.pem": "another value for ssl_certfile: there is no file '/a@b.pem'",
    "rediss://h?ssl_keyfile=/nope.pem": "ssl_keyfile",
    "rediss://h?ssl_ca_certs=": "ssl_ca_certs",
    "rediss://h?ssl_ca_data=x": "ssl_ca_data",
    "rediss://h?ssl_ciphers=none-of-them": "ssl_ciphers",
    "rediss://h?ssl_min_version=1.2": "another value for ssl_min_version: 771 or 772",
    "rediss://h?ssl_include_verify_flags=STRICT": "ssl_include_verify_flags",
    "rediss://h?ssl_check_hostname=off": "another value for ssl_check_hostname: true or false",
    "rediss://h?ssl_validate_ocsp=true": "unknown option 'ssl_validate_ocsp'",
    "redis://h?ssl_ca_certs=/nope.pem": "without ssl_ca_certs, which is only for rediss://",
    "redis://h?protocol=9": "another value for protocol: 2 or 3",
    "redis://h?protocol=": "another value for protocol: 2 or 3",
    "redis://h?db=production": "another value for db: a whole number from 0 to 999999",
    "redis://h?db=-1": "another value for db",
    "redis://h/1?db=2": "must name its database once",
    "redis://h?db=1&db=2": "option db only once",
    "redis://h?socket_timeout=nan": "socket_timeout",
    "redis://h?socket_timeout=0": "socket_timeout",
    "redis://h?max_connections=0": "max_connections",
    "redis://h?client_name=a%20b": "client_name",
    "redis://h?legacy_responses=false": "must be without legacy_responses: replies are read as bytes",
    "redis://h?password=x": "without password, which is only for unix://",
    "redis://h?sokcet_timeout=1": "did you mean socket_timeout?",
    "redis://h?timeout=1": "unknown option 'timeout'",
    "unix:///run/redis.sock?socket_keepalive=yes": "without socket_keepalive, which is only for redis://",
}


@pytest.mark.parametrize("url", [*ADDRESSES, *OPTION_ERRORS])
def test_a_wrong_url_is_an_error_before_anything_connects(url: str) -> None:
    for check in (connect, connect_async):
        with pytest.raises(SettingsError) as error:
            check(url)
        assert {**ADDRESSES, **OPTION_ERRORS}[url] in str(error.value)
        assert "ss@h" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:p%40ss%2Fw%25@h:6379/0",
        "redis://ada:a:b!$&'()*+,;=~`^|\"{}<>é@h/15",
        "redis://h/0?client_name=a@b",
        "redis://[::1]:6379/0",
        "redis://",
        "redis://bücher.example/0",
        "unix:///run/redis.sock?db=3&password=a/b",
        "unix://ada:p%2Fw@/run/redis.sock",
    ],
)
def test_a_url_that_every_client_reads(url: str) -> None:
    check_redis_url(url)
    connect(url)


def test_every_option_that_is_taken_reaches_both_clients(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path / "it.pem")
    values = {
        **dict.fromkeys(OPTIONS, "1"),
        **dict.fromkeys(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), str(pem)),
        "protocol": "3",
        "ssl_cert_reqs": "required",
        "ssl_ca_path": str(tmp_path),
        "ssl_ciphers": "HIGH",
        "ssl_min_version": "771",
        "ssl_include_verify_flags": "VERIFY_X509_STRICT",
        "ssl_exclude_verify_flags": "[VERIFY_X509_STRICT,VERIFY_X509_TRUSTED_FIRST]",
    }
    for name in OPTIONS.keys() - {"ssl_ca_data"}:
        together = "&ssl_certfile=" + str(pem) if name == "ssl_keyfile" else ""
        scheme = "rediss://h" if name.startswith("ssl_") else "redis://h"
        address = "unix:///run/redis.sock" if name in ("username", "password") else scheme
        url = f"{address}?{name}={values[name]}{together}"
        for pool in (connect(url).connection_pool, connect_async(url).connection_pool):
            pool.connection_class(**pool.connection_kwargs)
            assert name == "max_connections" or name in pool.connection_kwargs


def test_files_of_tls_that_do_not_fit_name_the_options(tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"must have other options of TLS: ssl_ca_certs cannot be used \(.+\)$"):
        connect(f"rediss://h?ssl_ca_certs={tmp_path}/not.pem")
