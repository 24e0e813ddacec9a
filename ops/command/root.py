"""The root of the command: finds commands when they are called for, and turns every error into a line and a status."""

import contextlib
import importlib
import os
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem
from redis.exceptions import RedisError

from lanes.errors import LanesError
from lanes.printable import printable_lines
from ops.command import COMMANDS
from ops.command.console import examples
from ops.command.failures import Interrupted, WrongUse, explain
from ops.command.session import Session, redis_option

# What a shell reports of a process that wrote into a closed pipe.
PIPE_CLOSED = 141


class Root(click.Group):
    """The group of all commands, each imported when it is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        try:
            command: click.Command = getattr(importlib.import_module(f"ops.command.{module}"), module)
        except ModuleNotFoundError as error:
            raise WrongUse(
                f"{cmd_name} needs {error.name}, which is not installed: pip install 'highlevel-lanes[all]'"
            ) from error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a mistyped one is answered with those that it may be."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names without importing them."""
        named = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the options before the command."""
        try:
            return super().make_context(*args, **kwargs)
        except click.ClickException as error:
            raise _fit_to_show(error) from error.__cause__

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong leaves here as a `CommandFailure`."""
        session = ctx.ensure_object(Session)
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            raise _fit_to_show(error) from error.__cause__
        except BrokenPipeError:
            raise click.exceptions.Exit(PIPE_CLOSED) from None
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {session.so_far}") from None
        except (LanesError, RedisError, OSError) as error:
            raise explain(error) from error


def _fit_to_show(error: click.ClickException) -> click.ClickException:
    """Return an error whose message may repeat what was typed, or a name out of a file."""
    error.message = printable_lines(error.message)  # type: ignore[misc]  # final for click alone
    return error


@click.command(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("lanes enqueue deals.jsonl", "lanes status --watch", "lanes dead list"),
)
@click.version_option(None, "--version", package_name="highlevel-lanes", prog_name="lanes")
@redis_option
def lanes() -> None:
    """Deliver upserts to HighLevel: enqueue them, watch them, mend what was refused.

    Settings come from LANES_... variables or a file .env. Data go to stdout, everything else to stderr. Exit status:
    0 done; 1 some rows or jobs refused, each reported; 2 wrong use; 3 Redis cannot be reached; 130 interrupted.
    """


def run() -> int:
    """Run the command line and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    status = 0
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Else the interpreter would flush again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if status:
            return status  # the command failed of it, and has told so
        failure = explain(error)
        failure.show()
        return failure.exit_code
    except KeyboardInterrupt:
        return Interrupted.exit_code
    return status


def _run() -> int:
    try:
        lanes.main(prog_name="lanes")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
