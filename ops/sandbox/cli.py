"""The command `lanes sandbox`: its options are the settings of the sandbox."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pydantic

from ops.sandbox.runner import serve
from ops.sandbox.settings import DEFAULT_TOKEN, SandboxSettings


def option(name: str, field: str, **more: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option for a setting, with its default and description."""
    known = SandboxSettings.model_fields[field]
    return click.option(name, field, **{"default": known.default, "help": known.description, **more})


def read_latency(text: str) -> tuple[float, float]:
    """Read `0.2` or `0.1-0.3`."""
    minimum, _, maximum = text.partition("-")
    try:
        return float(minimum), float(maximum or minimum)
    except ValueError:
        raise click.BadParameter(f"must be seconds like 0.2 or 0.1-0.3 (it is {text!r})") from None


def read_limit(text: str) -> tuple[str, int]:
    """Read `LOCATION=N`."""
    location, _, limit = text.partition("=")
    if not location or not limit.isdecimal():
        raise click.BadParameter(f"must be a location and a number like loc=250 (it is {text!r})")
    return location, int(limit)


def read_token(text: str) -> tuple[str, frozenset[str] | None]:
    """Read `TOKEN` or `TOKEN=LOCATION,...`."""
    token, equals, locations = text.partition("=")
    return token, frozenset(locations.split(",")) if equals else None


def read_token_file(path: str) -> tuple[str, None]:
    """Read a token from a file."""
    try:
        token = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "it is not UTF-8"
        raise click.BadParameter(f"{path!r} cannot be read: {problem}") from None
    if not token:
        raise click.BadParameter(f"{path!r} is empty: put a token into it")
    return token, None


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="\b\nExamples:\n  lanes sandbox --port 8090 --latency 0.1-0.3\n"
    "  lanes sandbox --burst-limit 5 --burst-limit-of loc=250 --known-pipeline pipe-sales",
)
@option("--host", "host")
@option("--port", "port", default=8090)
@option("--burst-limit", "burst_limit")
@option("--burst-limit-of", "burst_limits", default=(), multiple=True, type=read_limit, metavar="LOCATION=N")
@option("--burst-window", "burst_window_seconds", type=float)
@option("--daily-limit", "daily_limit")
@option("--window", "window", type=click.Choice(["sliding", "fixed"]))
@option("--retry-after", "retry_after", is_flag=True)
@option("--latency", "latency_seconds", default="0", type=read_latency, metavar="SECONDS[-SECONDS]")
@option(
    "--token",
    "tokens",
    default=(),
    multiple=True,
    type=read_token,
    metavar="TOKEN[=LOCATION,...]",
    help=f"A valid token and its locations. Can be repeated.  [default: {DEFAULT_TOKEN}, for all locations]",
)
@click.option(
    "--token-file",
    multiple=True,
    type=read_token_file,
    metavar="FILE",
    help="A file with a token that is valid for all locations. Can be repeated.",
)
@option("--known-pipeline", "known_pipelines", default=(), multiple=True, metavar="ID")
@option("--token-seconds", "token_seconds", type=float)
@option("--grace-seconds", "grace_seconds", type=float)
@option("--control/--no-control", "control")
def sandbox(**given: Any) -> None:
    """Run a server that behaves like HighLevel's POST /opportunities/upsert: contract, rate limits, faults."""
    settings = settings_of(**given)
    try:
        serve(settings, lambda url: click.echo(f"the sandbox listens on {url}"))
    except OSError as error:
        where, why = f"{settings.host}:{settings.port}", (error.strerror or "").partition(" (")[0]
        raise click.ClickException(f"cannot listen on {where}: {why}; try another --host or --port") from error


def settings_of(**given: Any) -> SandboxSettings:
    """Return the settings of the options.

    Raises:
        click.BadParameter: a value is out of its range.
    """
    given["tokens"] = dict([*given["tokens"], *given.pop("token_file")] or [(DEFAULT_TOKEN, None)])
    given["burst_limits"] = dict(given["burst_limits"])
    given["known_pipelines"] = frozenset(given["known_pipelines"]) or None
    try:
        return SandboxSettings(**given)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False)[0]
        [names] = [each.opts for each in sandbox.params if each.name == problem["loc"][0]]
        message = str(problem["msg"]).removeprefix("Value error, ")
        raise click.BadParameter(message, param_hint=f"'{names[0]}'") from None
