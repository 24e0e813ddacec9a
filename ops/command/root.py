"""The command `lanes`: imports a command when it is called, and turns errors into a message and an exit status."""

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
from ops.command.typeable import lanes_command

PIPE_CLOSED = 141  # the exit status of shells for a process that wrote into a closed pipe


class Root(click.Group):
    """The group of all commands. Each is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
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
            missing = f"{error.name}, which is not installed"
            raise WrongUse(f"{cmd_name} needs {missing}: pip install 'highlevel-lanes[all]'") from error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest similar ones for a mistyped name."""
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
        """Parse the options before the command."""
        try:
            return super().make_context(*args, **kwargs)
        except click.ClickException as error:
            raise _make_printable(error) from error.__cause__

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error becomes a `CommandFailure`."""
        session = ctx.ensure_object(Session)
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            raise _make_printable(error) from error.__cause__
        except BrokenPipeError:
            raise click.exceptions.Exit(PIPE_CLOSED) from None
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {session.so_far}") from None
        except (LanesError, RedisError, OSError) as error:
            raise explain(error) from error


def _make_printable(error: click.ClickException) -> click.ClickException:
    """Return the error with a printable message: it may repeat text that was typed or read from a file."""
    error.message = printable_lines(error.message)  # type: ignore[misc]  # click declares it final
    return error


@click.command(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("lanes enqueue deals.jsonl", "lanes status --watch", "lanes dead list"),
)
@click.version_option(None, "--version", package_name="highlevel-lanes", prog_name="lanes")
@redis_option
def lanes() -> None:
    """Deliver upserts to HighLevel: enqueue them, watch them, fix and replay the refused ones.

    Settings are LANES_... variables, or lines of a file .env. Data go to stdout, messages to stderr. Exit status: 0
    done; 1 some rows or jobs refused, each reported; 2 wrong use; 3 Redis cannot be reached; 130 interrupted.
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
        # Otherwise the interpreter flushes again at exit, and prints an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if status:
            return status  # the command has failed and reported it already
        failure = explain(error)
        failure.show()
        return failure.exit_code
    except KeyboardInterrupt:
        return Interrupted.exit_code
    return status


def _run() -> int:
    try:
        lanes.main(prog_name=lanes_command(), complete_var="_LANES_COMPLETE")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
