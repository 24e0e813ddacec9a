"""Workers that cannot decrypt what is stored: their trouble costs no job anything, and they say so."""

import json
from collections.abc import Callable

import pytest

from lanes.audit import audit
from ops.stack import Stack
from tests.end_to_end.conftest import all_done, producer_of, row, store_of, until
from tests.end_to_end.test_tokens import WITH_TOKENS, run
from worker.guard import EX_CONFIG
from worker.tokens.vault import new_key

JOBS, LOCATIONS = 96, 8


def store_private(stack: Stack, *locations: str, **environ: str) -> None:
    """Store a token that the sandbox takes, for each of these locations."""
    rows = [{"locationId": location, "token": "sandbox-token"} for location in locations]
    run(stack, "import", "-", stdin="\n".join(map(json.dumps, rows)), **environ)


def test_one_worker_of_three_with_another_key_costs_no_job_anything(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.05-0.1", **WITH_TOKENS, api_token="none")
    store = store_of(stack)
    locations = [f"loc-{number}" for number in range(LOCATIONS)]
    wrong = new_key()
    store_private(stack, "its-own", LANES_SECRET_KEY=wrong)  # else it would not start
    store_private(stack, *locations)
    worker = stack.start_worker("wrong", LANES_SECRET_KEY=wrong)
    producer_of(stack).enqueue_many(row(locations[n % LOCATIONS], f"contact-{n}") for n in range(JOBS))
    for name in ("one", "two"):
        stack.start_worker(name)
    until(lambda: all_done(store) or any(lane.hold for lane in store.lanes()), "every job done")
    counts, held = store.counts(), [lane.location_id for lane in store.lanes() if lane.hold]
    assert (counts["delivered"], counts["dead"], held) == (JOBS, 0, [])
    assert list(audit(store)) == []
    assert worker.output.count('"credentials_undecryptable"') == 1


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (new_key(), "LANES_SECRET_KEY does not decrypt any of the 2 stored tokens"),
        (None, "without LANES_SECRET_KEY it cannot decrypt any of the 2 stored tokens"),
    ],
    ids=["another", "none"],
)
def test_a_worker_that_can_decrypt_nothing_does_not_start(
    make_stack: Callable[..., Stack], key: str | None, why: str
) -> None:
    stack = make_stack(**WITH_TOKENS)
    store_private(stack, "loc-1", "loc-2")
    producer_of(stack).enqueue(row("loc-1", "contact"))
    del stack.settings["LANES_SECRET_KEY"]
    environ = {} if key is None else {"LANES_SECRET_KEY": key}
    worker = stack.start("worker", ["celery", "-A", "worker", "worker", "--concurrency", "2"], **environ)
    until(lambda: worker.status is not None or " ready." in worker.output, "the worker to end")
    assert worker.status == EX_CONFIG
    lines = [line for line in worker.output.splitlines() if line.startswith("lanes: ")]
    assert len(lines) == 1
    assert why in lines[0]
    assert "lanes token set" in lines[0]
    assert "Traceback" not in worker.output
    assert store_of(stack).counts()["pending"] == 1
