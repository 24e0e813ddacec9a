"""The command `lanes`, run on a real Redis with unlikely options and values."""

import contextlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import click

from lanes.settings.environment import PREFIX
from ops.command import COMMANDS
from ops.command.root import lanes, run
from tests.fuzzing.pieces import NASTY, Pieces
from tests.fuzzing.seeded_redis import SECRET, State, seeded_redis

STATUSES = (0, 1, 2, 3)
NO_REDIS = 3
# Written unchanged into a file or a pipe; the program that prints the file must escape it.
DATA = ("dead export",)
READING = (
    *("status", "job", "audit-log", "dead list", "dead show", "token list", "token new-key", "completion"),
    *("service list", "service show"),
)
# These write an audit-log entry first.
SHOWING_CONTENT = ("job", "dead list", "dead show", "dead edit")
AUDIT_LOG = b"lanes:audit_log"
# What the help's examples are about -> what is there.
THERE = {
    "0f8c4f0e6d2b4f4a": "letter0",
    "ve9EPM428h8vShlRW1KT": "loc",
    "deals.jsonl": "rows.jsonl",
    "deals.csv": "rows.csv",
    "dead.jsonl": "rows.jsonl",
    "dropped.csv": "rows.csv",
    "refused.jsonl": "new.jsonl",
    "crm-sync": "shop",
}
URLS = ("redis://127.0.0.1:1/0", "redis://", "http://127.0.0.1/", "redis://127.0.0.1:x", "\x1b[31m", "unix:///nowhere")
VALUES = (
    *("2", "422", "30m", "refused", "exhausted", "unauthorized", "expired", "jsonl", "csv", "fsync", "replicas:1"),
    *("rows.jsonl", "rows.csv", "new.jsonl", "new.csv", "folder", "empty", "status=won", "monetaryValue=1", "name"),
    *("bash", "zsh", "fish", "accepted", "new\x1b[2J.jsonl", "new\udcff.jsonl"),
    *(each for each in NASTY if each != "\ud800"),  # no argument can hold that
)
SAFE = str.maketrans({"/": "|", "\0": "|"})  # no file but in the folder of the run; no NUL is in an argument


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command that does something, by its whole name, with what may be given to it and the examples of its help."""

    name: str
    options: tuple[click.Option, ...]
    examples: tuple[tuple[str, ...], ...]


def ends(name: str) -> bool:
    """Return whether a command ends on its own; the help of servers says "run" or "serve"."""
    return COMMANDS[name].split(" ", 1)[0] not in ("Run", "Serve")


def endless(option: click.Option) -> bool:
    """Return whether an option makes a command run until it is stopped."""
    return "until Ctrl-C" in (option.help or "")


def leaves(command: click.Command, name: str = "", above: click.Context | None = None) -> Iterator[Leaf]:
    """Yield the commands below a command."""
    context = click.Context(command, parent=above, **command.context_settings)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            if name or ends(each):
                below = command.get_command(context, each)
                assert below is not None
                yield from leaves(below, f"{name} {each}".strip(), context)
        return
    options = tuple(each for each in command.get_params(context) if isinstance(each, click.Option))
    yield Leaf(name, tuple(each for each in options if not endless(each)), tuple(examples_of(command)))


def examples_of(command: click.Command) -> Iterator[tuple[str, ...]]:
    """Yield the command lines that a help shows, about jobs, lanes and files that are there."""
    for line in re.findall(r"\blanes ([^|#>$)\n]+)", command.epilog or ""):
        words = tuple(THERE.get(word, word) for word in shlex.split(line))
        if "--watch" not in words and words[0] in COMMANDS and ends(words[0]):
            yield words


# Read as this is imported: a fuzzer watches what is imported along with its target.
LEAVES = tuple(leaves(lanes))


def arguments_of(pieces: Pieces) -> list[str]:
    """Make a command line: a command or an example of its help, then options, values, and texts of any kind."""
    values = (*seeded_redis().known, *VALUES)

    def value() -> str:
        return os.fsdecode(pieces.some()) if pieces.number(4) == 0 else pieces.one_of(values)

    leaf = pieces.one_of(LEAVES)
    given = leaf.name.split(" ")
    if leaf.examples and pieces.number(2):
        given = list(pieces.one_of(leaf.examples))
        if pieces.number(2):
            given = [each for each in given if each != "--dry-run"]
        if pieces.number(4) == 0:
            given[pieces.number(len(given))] = value()
    for _ in range(pieces.number(4)):
        kind = pieces.number(8)
        if kind < 4:
            option = pieces.one_of(leaf.options)
            given.append(pieces.one_of([*option.opts, *option.secondary_opts]))
            if "--redis-url" in option.opts:
                given.append(pieces.one_of(URLS))
            elif not option.is_flag:
                given.append(value())
        elif kind < 7:
            given.append(value())
        else:
            given.insert(pieces.number(len(given) + 1), value())
    cleaned = [each if each in URLS else each.translate(SAFE) for each in given]
    # No other host is asked for anything.
    return [each.replace("--redis-url=", "--redis_url=") for each in cleaned]


@dataclass(frozen=True, slots=True)
class Meant:
    """What a command line says, as click reads it."""

    name: str
    params: Mapping[str, Any]

    @property
    def is_harmless(self) -> bool:
        """Whether it has no right to change anything: it only reads or rehearses, or lacks a --yes."""
        given = self.params
        if self.name in READING or given.get("dry_run"):
            return True
        if "yes" not in given or given["yes"]:
            return False
        # What is named is replayed or resumed without a question, a prune with a file loses nothing, and a service may
        # have a second key.
        named = {
            "cancel": len(set(given.get("job_ids") or ())) == 1,
            "dead replay": given.get("job_ids"),
            "dead prune": given.get("file"),
            "service key": given.get("name"),
            "resume": given.get("location_ids") or given.get("everything"),
        }
        return not named.get(self.name)


def meaning(arguments: list[str]) -> Meant | None:
    """Return what a command line says, None where it is wrong use or asks for help."""
    with ExitStack() as stack, contextlib.suppress(click.ClickException, click.exceptions.Exit, click.Abort):
        context = stack.enter_context(lanes.make_context("lanes", list(arguments)))
        names = []
        while isinstance(context.command, click.Group):
            left = [*context._protected_args, *context.args]
            name, command, left = context.command.resolve_command(context, left)
            assert name is not None
            assert command is not None
            names.append(name)
            context = stack.enter_context(command.make_context(name, left, parent=context))
        return Meant(" ".join(names), context.params)
    return None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, and what it printed."""

    status: int
    out: str
    err: str


class Pipe(BytesIO):
    """The file descriptor of a stream."""

    name = "<pipe>"


class Streams:
    """Replaces the three streams of a process; none is a terminal."""

    def __init__(self, given: bytes) -> None:
        self.stdin = TextIOWrapper(Pipe(given), "utf-8", errors="surrogateescape")
        self.stdout = TextIOWrapper(Pipe(), "utf-8", write_through=True)
        self.stderr = TextIOWrapper(Pipe(), "utf-8", write_through=True)

    @staticmethod
    def read(stream: TextIOWrapper) -> str:
        """Return what was written."""
        stream.flush()
        written = stream.buffer
        assert isinstance(written, Pipe)
        return written.getvalue().decode()


@contextlib.contextmanager
def standing_in(arguments: list[str], given: bytes, environ: Mapping[str, str]) -> Iterator[Streams]:
    """Be a process of its own: with these arguments, this stdin, this environment, in a folder with some files."""
    streams = Streams(given)
    before = sys.argv, sys.stdin, sys.stdout, sys.stderr, dict(os.environ), Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    here = folder / "deep" / "here"  # `..` is ours, too
    (here / "folder").mkdir(parents=True)
    (here / "empty").mkdir()
    for name in ("rows.jsonl", "rows.csv", "folder/appendonly.aof"):
        (here / name).write_bytes(given)
    try:
        os.chdir(here)
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        os.environ.update(environ)
        sys.argv = ["lanes", *arguments]
        sys.stdin, sys.stdout, sys.stderr = streams.stdin, streams.stdout, streams.stderr
        yield streams
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr, environ, there = before
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(there)
        shutil.rmtree(folder)


def call(arguments: list[str], given: bytes) -> tuple[Meant | None, Ended]:
    """Run the command."""
    environ = {**seeded_redis().environ(), "EDITOR": "true", "VISUAL": "true"}
    with standing_in(arguments, given, environ):
        meant = meaning(arguments)
    with standing_in(arguments, given, environ) as streams:
        status = run()
        return meant, Ended(status, streams.read(streams.stdout), streams.read(streams.stderr))


def check(arguments: list[str], meant: Meant | None, ended: Ended, *, changed: set[bytes]) -> None:
    """Check that the result is one that a command may have."""
    reported = f"{arguments} -> {ended}, {changed=}"
    assert ended.status in STATUSES, reported
    assert ended.status != NO_REDIS or "--redis-url" in arguments, reported
    assert SECRET not in ended.out + ended.err, reported
    assert "Traceback" not in ended.err, reported
    lines = ended.err.split("\n")
    if meant is None or meant.name not in DATA:
        lines += ended.out.split("\n")
    for line in lines:
        assert line.replace("\t", " ").isprintable(), reported
    if meant is None or meant.is_harmless:
        logged = {AUDIT_LOG} if meant is not None and meant.name in SHOWING_CONTENT else set()
        assert changed <= logged, reported


def command_line(data: bytes) -> None:
    """A command line and its stdin."""
    pieces = Pieces(data)
    arguments = arguments_of(pieces)
    before = seeded_redis().state()
    meant, ended = call(arguments, pieces.rest())
    after = seeded_redis().state()
    try:
        check(arguments, meant, ended, changed=differing(before, after))
    finally:
        seeded_redis().put_back()


def differing(before: State, after: State) -> set[bytes]:
    """Return the keys that hold something else than before."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
