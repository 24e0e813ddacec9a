"""What an operator gets wrong around a worker is one clear line."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from ops.embedded.stack import Stack
from tests.end_to_end.conftest import producer_of, store_of
from tests.helpers import row, until


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("LANES_BURST_LIMT", "5", "LANES_BURST_LIMT: no such setting; did you mean LANES_BURST_LIMIT?"),
        ("LANES_BURST_LIMIT", "many", "LANES_BURST_LIMIT: "),
        ("LANES_API_BASE_URL", "http://example.com", "LANES_API_BASE_URL: must be an https:// URL"),
        ("LANES_LOG_LEVEL", "loud", "LANES_LOG_LEVEL: "),
    ],
)
def test_a_wrong_setting_ends_the_worker_with_one_line(name: str, value: str, line: str) -> None:
    command = [sys.executable, "-m", "celery", "-A", "worker", "worker"]
    done = subprocess.run(command, env={name: value}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(line)


def test_a_worker_that_starts_before_redis_waits_for_it(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.redis.kill()
    worker, stopped = (stack.start(name, ["celery", "-A", "worker", "worker"]) for name in ("worker", "stopped"))
    for child in (worker, stopped):
        until(lambda child=child: '"redis_unavailable"' in child.output, "the worker to say that it waits")  # type: ignore[misc]
    assert stopped.stop(30) == 0, stopped.output
    stack.redis.start()
    job_id = producer_of(stack).enqueue(row("loc", "contact")).job_id
    until(lambda: (job := store_of(stack).job(job_id)) and job.state.value == "delivered", "the job delivered")
