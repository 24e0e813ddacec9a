"""A warm shutdown finishes the open requests and releases nothing more."""

from collections.abc import Callable

import pytest

from lanes.checks.consistency import check_consistency
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from tests.end_to_end.conftest import producer_of, store_of
from tests.helpers import row, until


@pytest.mark.parametrize(
    ("shift_seconds", "latency"), [(5, "1-1.5"), (0.5, "4-4.5")], ids=["in a shift", "long after its shift"]
)
def test_sigterm(make_stack: Callable[..., Stack], shift_seconds: float, latency: str) -> None:
    stack = make_stack("--latency", latency, shift_seconds=shift_seconds)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    producer_of(stack).enqueue_many(row(f"loc-{number % 5}", f"contact-{number}") for number in range(200))
    worker = stack.start_worker()
    until(lambda: control.summary()["open"] > 10, "open requests")
    assert worker.stop() == 0
    seen = control.summary()
    counts = store.counts()
    assert seen["open"] == 0
    assert counts["in_flight"] == 0
    assert 0 < counts["delivered"] == seen["requests"] < 200
    assert counts["pending"] == 200 - counts["delivered"]
    assert list(check_consistency(store)) == []
