"""The commands in the runbook are valid for the real command, services and units."""

import re
import shlex
from pathlib import Path

import click
import pytest

from lanes.settings import WorkerSettings
from lanes.settings.environment import PREFIX
from ops.command.root import lanes
from ops.redis_acl import USERS
from tests.ops.deployment import ROOT, SERVICES
from worker.dashboard import flower

TEXT = (ROOT / "docs/runbook.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
OUTSIDE = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
PROSE = [code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", OUTSIDE)]
# Also within `docker compose exec worker lanes ...` and `sudo ... /opt/lanes/bin/lanes ...`.
COMMAND = re.compile(r"^(?:docker compose .* |sudo .*/bin/)?(lanes .*)")
TYPED = sorted({found[1] for line in [*LINES, *PROSE] if (found := COMMAND.match(line))})


def test_there_is_something_to_type() -> None:
    assert len(TYPED) > 25


def made(word: str, folder: Path) -> str:
    """Return a word of a command line, with the files that it names there."""
    path = folder / word.lstrip("/")
    if word.endswith(".rdb") and word.startswith("/"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    elif word.startswith("/"):
        path.mkdir(parents=True, exist_ok=True)
    else:
        return word
    return str(path)


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Let the real commands read a command line, down to the last one, and run none."""
    context = command.make_context(command.name, words, parent=parent)
    with context:
        if isinstance(command, click.Group):
            name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None, name
            parse(found, rest, context)


@pytest.mark.parametrize("line", TYPED)
def test_every_command_is_one(line: str, tmp_path: Path) -> None:
    parse(lanes, [made(word, tmp_path) for word in shlex.split(line)[1:]])


@pytest.mark.parametrize("line", ["lanes holt x", "lanes hold --al", "lanes hold x", "lanes dead replay --status ten"])
def test_a_wrong_command_is_found(line: str, tmp_path: Path) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        parse(lanes, [made(word, tmp_path) for word in shlex.split(line)[1:]])


def test_every_service_and_unit_that_is_named_is_there() -> None:
    composed = [line for line in [*LINES, *PROSE] if line.startswith("docker compose ")]
    assert len(composed) > 8
    for line in composed:
        words = shlex.split(line)
        assert words[2] in ("exec", "ps", "logs", "up", "run", "stop", "create", "build", "restart"), line
        if words[2:] != ["up", "--detach"] and words[2] != "build" and "--scale" not in words:
            assert set(words) & SERVICES.keys(), line
    named = set(re.findall(r"\blanes-[a-z]+(?:@\d?|\.timer|\.service)?", " ".join([*LINES, *PROSE])))
    units = {re.sub(r"\d$", "", name) for name in named if not name.endswith("s") and "2026" not in name}
    there = {path.name for path in (ROOT / "ops/systemd").glob("lanes-*")}
    for unit in units - {"lanes-lane"}:
        assert any(name.startswith(unit) for name in there), unit


def test_every_setting_that_is_named_is_one() -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]", TEXT))
    assert {name.removesuffix("_FILE") for name in named} <= {
        PREFIX + name.upper() for name in WorkerSettings.model_fields
    }


def test_every_page_that_is_named_is_one() -> None:
    pages = set(re.findall(r"\b(?:the|The) ([A-Z][a-z]+(?: [a-z]+)?) page\b", TEXT))
    assert pages == {"Throughput"}
    assert pages <= set(flower.MENU.values())


def test_it_knows_each_event_of_the_log_that_it_names() -> None:
    files = {*(f"redis_url_{user}" for user in USERS)}
    named = set(re.findall(r"`((?:redis|metrics|worker)_[a-z_]+)`", TEXT)) - files
    code = "".join(path.read_text("utf-8") for path in (ROOT / "worker").rglob("*.py"))
    assert {
        "redis_unavailable",
        "redis_available",
        "redis_still_unavailable",
        "metrics_failed",
        "worker_stuck",
    } == named
    assert all(f'"{name}"' in code for name in named)
