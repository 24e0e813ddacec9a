"""How a command fails: a message on stderr and an exit status."""

import click
from redis.exceptions import RedisError

from lanes.errors import LanesError, RedisUnavailableError, SettingsError
from lanes.printable import printable
from lanes.storage.redis_errors import UNAVAILABLE, unavailable
from ops.command.typeable import typeable


class CommandFailure(click.ClickException):
    """Ends the command. Each line of the message is shown after `lanes: `."""

    def show(self, file: object = None) -> None:
        """Print the message to stderr."""
        del file
        for line in self.message.splitlines():
            click.echo(f"lanes: {printable(typeable(line))}", err=True)


class Refused(CommandFailure):
    """Some rows or jobs were refused, or a check found errors."""

    exit_code = 1


class WrongUse(CommandFailure):
    """A setting is wrong, or a program or package is missing."""

    exit_code = 2


class NoRedis(CommandFailure):
    """Redis cannot be reached, or refuses."""

    exit_code = 3


class Interrupted(CommandFailure):
    """Ctrl-C."""

    exit_code = 130


def explain(error: LanesError | RedisError | OSError) -> CommandFailure:
    """Return the failure for an error."""
    if isinstance(error, SettingsError):
        return WrongUse(str(error))
    if isinstance(error, RedisUnavailableError):
        return NoRedis(str(error))
    if isinstance(error, UNAVAILABLE):
        return NoRedis(str(unavailable(error)))
    if isinstance(error, RedisError):
        return NoRedis(f"Redis refuses: {error}; check LANES_REDIS_URL and the rights of its user")
    if isinstance(error, OSError):
        file = f"{error.filename}: " if error.filename else ""
        return Refused(f"{file}{error.strerror or error}")
    return Refused(str(error))
