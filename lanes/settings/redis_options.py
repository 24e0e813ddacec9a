"""Validates the options in the URL of a Redis: `rediss://host/0?ssl_ca_certs=/etc/ca.pem`. It names the wrong one."""

import ssl
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis.asyncio
from redis.connection import parse_url

Check = Callable[[str], str]


class UnknownOptionError(ValueError):
    """An option is not known."""


def problem_of_options(url: str) -> str:
    """Return what is wrong with the options of a URL, or ''. Files and folders that they name must exist.

    Raises:
        UnknownOptionError: an option is not known.
    """
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    names = [name for name, _ in options]
    if unknown := next((name for name in names if name not in {*OPTIONS, *_FIXED}), ""):
        close = get_close_matches(unknown, OPTIONS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(OPTIONS)}"
        message = f"must be without the unknown option {unknown[:40]!r}; {hint}"
        raise UnknownOptionError(message)
    for name, value in options:
        if message := _problem(name, value, parts.scheme):
            return message
        if names.count(name) > 1:
            return f"must have the option {name} only once"
    if "db" in names and parts.scheme != "unix" and parts.path.strip("/"):
        return "must name its database once, at its end or by the option db"
    return _problem_of_tls(url) if any(name.startswith("ssl_") for name in names) else ""


def _problem(name: str, value: str, scheme: str) -> str:
    if name in _FIXED:
        return f"must be without {name}: {_FIXED[name]}"
    for begin, schemes in _NEEDS.items():
        if name.startswith(begin) and scheme not in schemes:
            return f"must be without {name}, which is only for {schemes[0]}://"
    message = OPTIONS[name](value)
    return f"must have another value for {name}: {message}" if message else ""


def _problem_of_tls(url: str) -> str:
    """Load certificates, keys and ciphers as the client does."""
    options: Mapping[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    # Without a password for an encrypted key, the process would ask at its terminal.
    tls = {"ssl_password": "", **{name: value for name, value in options.items() if name.startswith("ssl_")}}
    try:
        redis.asyncio.SSLConnection(**tls).ssl_context.get()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        names = ", ".join(name for name in tls if tls[name])
        return f"must have other options of TLS: {names} cannot be used ({reason})"
    return ""


def _number(minimum: float, maximum: float, kind: Callable[[str], float] = int) -> Check:
    def check(value: str) -> str:
        try:
            fits = minimum <= kind(value) <= maximum
        except ValueError:
            fits = False
        what = "a whole number" if kind is int else "a number of seconds"
        return "" if fits else f"{what} from {minimum} to {maximum}"

    return check


def _choice(*values: str) -> Check:
    return lambda value: "" if value in values else " or ".join(values)


def _boolean(value: str) -> str:
    # The client takes every other word for true.
    return "" if value.lower() in {"true", "false", "yes", "no", "1", "0"} else "true or false"


def _verify_flags(value: str) -> str:
    known = ssl.VerifyFlags.__members__
    return "" if all(flag.strip() in known for flag in value.strip("[]").split(",")) else f"of {', '.join(known)}"


def _text(value: str) -> str:
    return "" if value.isprintable() and value and " " not in value else "printable text without spaces"


def _not_empty(value: str) -> str:
    return "" if value else "not empty"


def _file(value: str) -> str:
    return "" if Path(value).is_file() else f"there is no file {value!r}"


def _folder(value: str) -> str:
    return "" if Path(value).is_dir() else f"there is no folder {value!r}"


OPTIONS: Mapping[str, Check] = {
    "db": _number(0, 999_999),
    "username": _not_empty,
    "password": _not_empty,
    "protocol": _choice("2", "3"),
    "client_name": _text,
    "max_connections": _number(1, 1_000_000),
    "socket_timeout": _number(0.001, 3600, float),
    "socket_connect_timeout": _number(0.001, 3600, float),
    "socket_keepalive": _boolean,
    "socket_read_size": _number(1, 2**24),
    "health_check_interval": _number(0, 86_400),
    "retry_on_timeout": _boolean,
    "ssl_cert_reqs": _choice("required", "optional", "none"),
    "ssl_check_hostname": _boolean,
    "ssl_ca_certs": _file,
    "ssl_ca_path": _folder,
    "ssl_ca_data": _not_empty,
    "ssl_certfile": _file,
    "ssl_keyfile": _file,
    "ssl_password": _not_empty,
    "ssl_ciphers": _not_empty,
    "ssl_min_version": _choice("771", "772"),  # TLS 1.2, TLS 1.3
    "ssl_include_verify_flags": _verify_flags,
    "ssl_exclude_verify_flags": _verify_flags,
}
# What an option begins with -> the schemes that have it. Celery's broker reads user and password only before the host.
_NEEDS = {"ssl_": ("rediss",), "username": ("unix",), "password": ("unix",), "socket_keepalive": ("redis", "rediss")}
_FIXED = dict.fromkeys(
    ("decode_responses", "encoding", "encoding_errors", "legacy_responses"), "replies are read as bytes"
)
