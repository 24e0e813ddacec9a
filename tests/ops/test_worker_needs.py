"""The limits of the deployment files are large enough for the workers that they start."""

import re
from pathlib import Path

import pytest
import yaml

from lanes.checks.worker_needs import MIB, WorkerNeeds
from lanes.settings import WorkerSettings
from worker.app import MAX_SENDERS

ROOT = Path(__file__).parents[2]
NEEDS = WorkerNeeds(MAX_SENDERS + 1, WorkerSettings.model_fields["shift_threads"].default)
WORKERS = 20  # on one Redis, without a change of its configuration
DIRECTIVES = re.compile(r"^(\w+)=(\w+)$", re.MULTILINE)
BYTES = {"m": MIB, "M": MIB, "g": 1024 * MIB, "G": 1024 * MIB}


def as_bytes(text: str) -> int:
    return int(text[:-1]) * BYTES[text[-1]]


@pytest.fixture
def unit() -> dict[str, str]:
    return dict(DIRECTIVES.findall((ROOT / "ops/systemd/lanes-worker@.service").read_text("utf-8")))


def test_the_compose_file() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    limits = compose["services"]["worker"]["deploy"]["resources"]["limits"]
    assert limits["pids"] >= NEEDS.tasks
    assert as_bytes(limits["memory"]) >= NEEDS.memory


def test_the_systemd_unit(unit: dict[str, str]) -> None:
    assert int(unit["TasksMax"]) >= NEEDS.tasks
    assert as_bytes(unit["MemoryMax"]) >= NEEDS.memory
    assert int(unit["LimitNOFILE"]) >= NEEDS.descriptors


def test_redis() -> None:
    found = re.search(r"^maxclients (\d+)$", (ROOT / "ops/redis.conf").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= WORKERS * NEEDS.redis_connections
    redis_unit = (ROOT / "ops/systemd/lanes-redis.service").read_text("utf-8")
    files = re.search(r"^LimitNOFILE=(\d+)$", redis_unit, re.MULTILINE)
    assert files is not None
    assert int(files[1]) >= int(found[1]) + 32  # Redis' own
