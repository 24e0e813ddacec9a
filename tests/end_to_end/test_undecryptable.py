"""Workers that cannot decrypt what is stored: their trouble costs no job anything, and they say so."""

import json
import time
from collections.abc import Callable

import pytest
import requests

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from lanes.queue.store import LaneStore
from ops.embedded.redis_server import free_port
from ops.embedded.stack import Stack
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.end_to_end.test_tokens import WITH_TOKENS, run
from tests.helpers import row, until
from worker.safety.startup_check import EX_CONFIG
from worker.tokens.vault import new_key

JOBS, LOCATIONS = 96, 8
WATCHED_SECONDS = 5
MOST_CALLS = 50  # a second, of a whole worker; one that spins makes thousands


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
    assert list(check_consistency(store)) == []
    assert worker.output.count('"credentials_undecryptable"') == 1


def calls(store: LaneStore) -> int:
    """Return how many scripts were called so far."""
    return int(store.client.info("commandstats")["cmdstat_evalsha"]["calls"])


def test_a_worker_that_can_serve_nothing_that_is_due_says_so_waits_and_goes_on_when_it_can(
    make_stack: Callable[..., Stack],
) -> None:
    stack = make_stack(**WITH_TOKENS, api_token="none", metrics_port=(port := free_port()))
    store, wrong = store_of(stack), new_key()
    locations = [f"loc-{number}" for number in range(LOCATIONS)]
    store_private(stack, "its-own", LANES_SECRET_KEY=wrong)
    store_private(stack, *locations)
    ids = producer_of(stack).enqueue_many(row(location, "contact") for location in locations).job_ids
    worker = stack.start_worker("wrong", LANES_SECRET_KEY=wrong)

    def get(path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=30)

    def has(line: str) -> bool:
        return line in get("/metrics/worker").text.splitlines()

    until(lambda: has(f"lanes_worker_undecryptable_credentials {LOCATIONS:.1f}"), "the metric")
    assert has("lanes_worker_ready 0.0")
    ready = get("/ready")
    assert (ready.status_code, ready.text) == (
        503,
        f"it cannot decrypt {LOCATIONS} of the stored tokens: see LANES_SECRET_KEY\n",
    )
    before = calls(store)
    time.sleep(WATCHED_SECONDS)
    assert calls(store) - before < MOST_CALLS * WATCHED_SECONDS
    assert {(job.state, job.attempt, job.attempts) for job in store.jobs(ids) if job} == {(State.PENDING, 0, ())}
    # They are stored with its key: no restart is needed.
    store_private(stack, *locations, LANES_SECRET_KEY=wrong)
    until(lambda: all_done(store), "every job done")
    assert store.counts()["delivered"] == LOCATIONS
    until(lambda: has("lanes_worker_ready 1.0"), "the worker to be ready")
    assert (get("/ready").status_code, get("/ready").text) == (200, "ready\n")
    assert worker.output.count('"credentials_decryptable"') == 1


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
