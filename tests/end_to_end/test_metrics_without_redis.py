"""Without Redis, the dashboard still serves metrics, and they report the outage."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ops.embedded.stack import Stack
from tests.helpers import until


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "stack")
    yield stack
    stack.stop()


def value(stack: Stack, name: str) -> float | None:
    text = requests.get(f"{stack.flower_url}/metrics", timeout=30).text
    found = [line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0]) if found else None


def test_the_dashboards_metrics_report_a_redis_outage(stack: Stack) -> None:
    stack.start_redis()
    dashboard = stack.start_dashboard()
    until(lambda: value(stack, "lanes_redis_up") == 1, "Redis up")
    stack.redis.kill()
    until(lambda: value(stack, "lanes_redis_up") == 0, "Redis away")
    assert value(stack, "lanes_scrape_success") == 0
    assert value(stack, "lanes_workers") is None
    assert "worker/metrics" not in dashboard.output  # as it would be in a traceback
    stack.redis.start()
    until(lambda: value(stack, "lanes_redis_up") == 1, "Redis up again")
