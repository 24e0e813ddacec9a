"""The command line of the sandbox, also that of `lanes sandbox`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pydantic

from ops.sandbox.runner import serve
from ops.sandbox.settings import DEFAULT_TOKEN, SandboxSettings

NAME = "lanes sandbox"


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    made = argparse.ArgumentParser(
        prog=NAME,
        description="A server that behaves as HighLevel's POST /opportunities/upsert: contract, rate limits, faults.",
        epilog="example: lanes sandbox --port 8090 --latency 0.1-0.3 --known-pipeline pipe-sales",
        allow_abbrev=False,
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", default=8090, type=int, help="port, 0 for any free one (default: %(default)s)")
    made.add_argument("--burst-limit", default=100, type=int, help="requests of a location in one window")
    made.add_argument(
        "--burst-limit-of",
        action="append",
        default=[],
        type=_limit,
        metavar="LOCATION=N",
        help="the same for one location",
    )
    made.add_argument("--burst-window", default=10.0, type=float, help="the window, in seconds")
    made.add_argument("--daily-limit", default=200_000, type=int, help="requests of a location in 24 hours")
    made.add_argument("--window", default="sliding", choices=("sliding", "fixed"), help="how the window goes")
    made.add_argument("--retry-after", action="store_true", help="a 429 says when to come back")
    made.add_argument(
        "--latency", default=(0.0, 0.0), type=_latency, metavar="MIN[-MAX]", help="seconds that an answer takes"
    )
    made.add_argument(
        "--token",
        action="append",
        type=_token,
        metavar="TOKEN[=LOCATION,...]",
        help=f"a token that is taken, and its locations (default: {DEFAULT_TOKEN}, for all)",
    )
    made.add_argument(
        "--token-file",
        action="append",
        dest="token",
        type=_token_of_file,
        metavar="FILE",
        help="a file with a token that is taken for all locations",
    )
    made.add_argument("--known-pipeline", action="append", metavar="ID", help="refuse every other pipeline with 400")
    made.add_argument(
        "--token-seconds", default=86_399.0, type=float, help="how long the OAuth tokens that it gives out live"
    )
    made.add_argument(
        "--grace-seconds", default=30.0, type=float, help="how long a spent refresh token gives the same pair again"
    )
    made.add_argument("--no-control", dest="control", action="store_false", help="serve nothing at /_sandbox/")
    return made


def read(arguments: Sequence[str]) -> SandboxSettings:
    """Return the settings that the arguments ask for; ends the process with one line when they are wrong."""
    reader = parser()
    given = reader.parse_args(arguments)
    try:
        return SandboxSettings(
            host=given.host,
            port=given.port,
            burst_limit=given.burst_limit,
            burst_limits=dict(given.burst_limit_of),
            burst_window_seconds=given.burst_window,
            daily_limit=given.daily_limit,
            window=given.window,
            retry_after=given.retry_after,
            latency_seconds=given.latency,
            tokens=dict(given.token or [(DEFAULT_TOKEN, None)]),
            known_pipelines=None if given.known_pipeline is None else frozenset(given.known_pipeline),
            control=given.control,
            token_seconds=given.token_seconds,
            grace_seconds=given.grace_seconds,
        )
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False)[0]
        option = str(problem["loc"][0]).removesuffix("_seconds").replace("_", "-")
        reader.error(f"argument --{option}: {problem['msg'].removeprefix('Value error, ')}")


def _latency(text: str) -> tuple[float, float]:
    minimum, _, maximum = text.partition("-")
    try:
        return float(minimum), float(maximum or minimum)
    except ValueError:
        message = f"must be seconds like 0.2 or 0.1-0.3 (it is {text!r})"
        raise argparse.ArgumentTypeError(message) from None


def _limit(text: str) -> tuple[str, int]:
    location, _, limit = text.partition("=")
    if not location or not limit.isdecimal():
        message = f"must be a location and a number like loc=250 (it is {text!r})"
        raise argparse.ArgumentTypeError(message)
    return location, int(limit)


def _token(text: str) -> tuple[str, frozenset[str] | None]:
    token, equals, locations = text.partition("=")
    return token, frozenset(locations.split(",")) if equals else None


def _token_of_file(path: str) -> tuple[str, None]:
    try:
        token = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path!r} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        raise argparse.ArgumentTypeError(message) from None
    if not token:
        message = f"{path!r} is empty: put a token into it"
        raise argparse.ArgumentTypeError(message)
    return token, None


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    settings = read(sys.argv[1:] if arguments is None else arguments)
    try:
        serve(settings, lambda url: print(f"the sandbox listens on {url}", flush=True))
    except OSError as error:
        where, why = f"{settings.host}:{settings.port}", (error.strerror or "").partition(" (")[0]
        sys.exit(f"{NAME}: cannot listen on {where}: {why}; try another --host or --port")
