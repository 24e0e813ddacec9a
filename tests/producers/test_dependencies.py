"""A service needs only redis, pydantic and python-dotenv: the producers run where every other package is missing."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

OURS = {"lanes", "producers"}
NEEDED = ("redis", "pydantic", "python-dotenv")

SERVICE = """
import asyncio, json, sys

missing, url = set(json.loads(sys.argv[1])), sys.argv[2]


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
for name in [name for name in sys.modules if name.partition(".")[0] in missing]:
    del sys.modules[name]  # some come in with the start of Python

from producers import AsyncOpportunityProducer, OpportunityProducer

row = {"pipelineId": "pipe", "locationId": "loc", "contactId": "contact"}
with OpportunityProducer.from_url(url) as producer:
    states = [producer.status(job_id).state for job_id in producer.enqueue_many([row, row]).job_ids]
    states.append(producer.status(producer.enqueue(row, idempotency_key="k").job_id).state)


async def main():
    async with AsyncOpportunityProducer.from_url(url) as producer:
        states.append((await producer.status((await producer.enqueue(row)).job_id)).state)


asyncio.run(main())

from producers.testing import Delivered, RecordingProducer

recording = RecordingProducer()
recording.ends(Delivered())
states.append(recording.wait(recording.enqueue(row).job_id, 0).state)
print(json.dumps(states))
"""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_distributions() -> set[str]:
    """Return those three and what they require, without extras, as their metadata say."""
    found: set[str] = set()
    todo = list(NEEDED)
    while todo:
        name = plain(todo.pop())
        if name in found:
            continue
        try:
            required = requires(name) or []
        except PackageNotFoundError:  # required on another Python or system only
            continue
        found.add(name)
        todo += [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required if "extra ==" not in line]
    return found


def modules_to_miss() -> set[str]:
    needed = needed_distributions()
    return {
        module
        for module, distributions in packages_distributions().items()
        if module not in OURS and not needed.intersection(map(plain, distributions))
    }


def run(code: str, *arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=60,
    )


def test_a_service_enqueues_where_every_other_package_is_missing(redis_url: str, tmp_path: Path) -> None:
    missing = modules_to_miss()
    assert missing.isdisjoint({"redis", "pydantic", "pydantic_core", "dotenv", "lanes", "producers"})
    assert missing >= {
        "celery",
        "kombu",
        "requests",
        "tornado",
        "structlog",
        "click",
        "rich",
        "flower",
        "pytest",
        "worker",
        "ops",
    }
    done = run(SERVICE, json.dumps(sorted(missing)), redis_url, folder=tmp_path)
    assert done.stderr == ""
    assert json.loads(done.stdout) == ["pending"] * 4 + ["delivered"]


@pytest.mark.parametrize("module", ["worker.app", "ops.command.root", "producers.testing.fixtures"])
def test_a_hidden_package_cannot_be_imported(redis_url: str, tmp_path: Path, module: str) -> None:
    code = SERVICE.replace("from producers import", f"import {module}\nfrom producers import")
    missing = modules_to_miss() - {"worker", "ops"}
    done = run(code, json.dumps(sorted(missing)), redis_url, folder=tmp_path)
    assert done.returncode == 1
    assert re.search(r"ModuleNotFoundError: No module named '(celery|structlog|click|rich|pytest)", done.stderr)


@pytest.mark.parametrize("package", sorted(OURS))
def test_the_types_travel_with_the_package(package: str) -> None:
    """Without this file, mypy takes everything that a service imports for Any (PEP 561)."""
    assert (Path(__file__).parents[2] / package / "py.typed").is_file()
