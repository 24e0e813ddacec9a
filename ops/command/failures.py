"""How a command fails: one line for people, and an exit status for scripts."""

import click
from redis.exceptions import RedisError

from lanes.errors import LanesError, RedisUnavailableError, SettingsError
from lanes.printable import printable
from lanes.storage.redis_errors import UNAVAILABLE, unavailable


class CommandFailure(click.ClickException):
    """Ends the command; each line of the message is shown behind `lanes: `."""

    def show(self, file: object = None) -> None:
        """Print the message to stderr."""
        del file
        for line in self.message.splitlines():
            click.echo(f"lanes: {printable(line)}", err=True)


class Refused(CommandFailure):
    """Some rows or jobs were refused, each reported, or findings were made."""

    exit_code = 1


class WrongUse(CommandFailure):
    """A setting is wrong, or something is missing on this machine."""

    exit_code = 2


class NoRedis(CommandFailure):
    """Redis cannot be reached, or does not take part."""

    exit_code = 3


class Interrupted(CommandFailure):
    """Ctrl-C."""

    exit_code = 130


def explain(error: LanesError | RedisError | OSError) -> CommandFailure:
    """Return the failure that an error comes to."""
    if isinstance(error, SettingsError):
        return WrongUse(str(error))
    if isinstance(error, RedisUnavailableError):
        return NoRedis(str(error))
    if isinstance(error, UNAVAILABLE):
        return NoRedis(str(unavailable(error)))
    if isinstance(error, RedisError):
        return NoRedis(f"Redis refuses: {error}; what may this user do, and is it the right Redis?")
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        return Refused(f"{named}{error.strerror or error}")
    return Refused(str(error))
