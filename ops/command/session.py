"""What a command works with: settings, Redis, the lanes and the audit log."""

import functools
import getpass
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, TypeVar

import click
import redis

from lanes.printable import printable
from lanes.queue.connecting import connect
from lanes.queue.lane_reader import LaneReader
from lanes.settings import CommandSettings, ProducerSettings
from ops.command.console import PrintableWord

if TYPE_CHECKING:
    from lanes.queue.store import LaneStore
    from producers import OpportunityProducer

RESERVED_HOLDERS = ("authorization", "outage")  # holds that no person set
S = TypeVar("S", bound=ProducerSettings)
R = TypeVar("R", bound=LaneReader)
MAX_NAMED = 100


class Session:
    """One run of the command. Connects on first use of the client. `so_far` is reported on Ctrl-C: what was done."""

    def __init__(self) -> None:
        self.redis_url: str | None = None
        self.so_far = "nothing was changed"
        self._named: set[tuple[str, str]] = set()

    @functools.cached_property
    def settings(self) -> CommandSettings:
        """The settings of commands."""
        return self.load(CommandSettings)

    def load(self, role: type[S]) -> S:
        """Return the settings from the environment or `.env`; the option --redis-url overrides the URL."""
        own = {} if self.redis_url is None else {"LANES_REDIS_URL": self.redis_url, "LANES_REDIS_URL_FILE": ""}
        return role.load({**os.environ, **own})

    @functools.cached_property
    def client(self) -> "redis.Redis":
        """The Redis client; its connections are closed when the command ends."""
        client: redis.Redis = click.get_current_context().with_resource(connect(self.settings.redis_url))
        client.ping()
        return client

    @functools.cached_property
    def reader(self) -> LaneReader:
        """What reads lanes and counts. Raises an error if this version cannot work with the server or its data."""
        return self._open(LaneReader)

    @functools.cached_property
    def store(self) -> "LaneStore":
        """The lanes. Raises an error if this version cannot work with the server or its data."""
        from lanes.queue.store import LaneStore  # noqa: PLC0415 - `lanes status` reads only

        return self._open(LaneStore)

    def _open(self, kind: type[R]) -> R:
        reader = kind(self.client, self.settings.prefix)
        reader.unreadable = self._name_unreadable
        reader.check_usable()
        return reader

    def _name_unreadable(self, key: str, problem: str) -> None:
        """Print once what of the stored data cannot be read; the command shows the rest."""
        if (key, problem) not in self._named and len(self._named) < MAX_NAMED:
            self._named.add((key, problem))
            click.echo(printable(f"lanes: {key}: {problem}; lanes check --repair shows the repair"), err=True)

    @functools.cached_property
    def producer(self) -> "OpportunityProducer":
        """The producer."""
        from producers import OpportunityProducer  # noqa: PLC0415 - for commands that enqueue

        return OpportunityProducer(self.store, self.settings)

    def log_change(self, what: str, on: str, detail: str = "", by: str | None = None) -> None:
        """Write an audit-log entry; call it before the change. `by` is the name that a person gave."""
        from lanes.activity import audit_log  # noqa: PLC0415 - for commands that change something

        user = _user()
        audit_log.append(self.store, by or user, what, printable(on), printable(detail), user=user)


def _user() -> str:
    """Return the user and the host of the command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _set_redis_url(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value == "":
        raise click.BadParameter("must not be empty; it looks like redis://127.0.0.1:6379/0")
    if value is not None:
        context.ensure_object(Session).redis_url = value


def _check_name(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value in RESERVED_HOLDERS:
        raise click.BadParameter(f"must be a person's name ({value} marks automatic holds)")
    return value


by_option = click.option(
    "--by",
    metavar="NAME",
    type=PrintableWord(),
    callback=_check_name,
    help="Your name, for the audit log, which keeps the system's user beside it.",
)

redis_option = click.option(
    "--redis-url",
    metavar="URL",
    expose_value=False,
    callback=_set_redis_url,
    help="Redis to use instead of LANES_REDIS_URL.",
)


def connected(function: Callable[Concatenate[Session, ...], Any]) -> Callable[..., Any]:
    """Pass the session to a command as its first argument, and add the option `--redis-url`."""
    return redis_option(click.make_pass_decorator(Session, ensure=True)(function))
