"""Tokens: renewed while jobs are sent, revoked, replaced, and renewed by a worker that is killed during the renewal."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from ops.embedded.stack import Stack
from ops.sandbox import Fault, SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until
from worker.tokens.renewal_timing import RENEWAL_TIMING

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
WITH_TOKENS = {"secret_key": KEY, "oauth_client_id": "app", "oauth_client_secret": "app-secret"}
LONG_SECONDS = 600.0
MOST_IN_FLIGHT = 2 * 4 * 256  # requests of two workers, with up to four processes of 256 threads
LANES = str(Path(sys.executable).with_name("lanes"))


def run(stack: Stack, *arguments: str, stdin: str = "", **environ: str) -> str:
    """Run `lanes token ...` and return its output."""
    done = subprocess.run(
        [LANES, "token", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env={**stack.environ, **environ},
        cwd=stack.folder,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def import_pairs(stack: Stack, control: SandboxControl, locations: list[str]) -> list[dict[str, Any]]:
    """Give each location an OAuth pair of its own."""
    pairs = [{"locationId": location, **control.grant(location)} for location in locations]
    run(stack, "import", "-", stdin="\n".join(map(json.dumps, pairs)))
    return pairs


@pytest.mark.timeout(3 * LONG_SECONDS)
def test_tokens_that_expire_in_mid_run(make_stack: Callable[..., Stack]) -> None:
    """Two workers, 50 locations; some answers of the token endpoint are slow, some are lost."""
    stack = make_stack("--token-seconds", "6", "--latency", "0.02-0.06", **WITH_TOKENS, api_token="none")
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    locations = [f"loc-{number}" for number in range(50)]
    for location in locations[:5]:
        # The answer is lost after it took effect, for the first of them so late that the client has given up.
        control.inject(Fault(kind="reset", endpoint="token", location=location, times=2, applied=True))
        control.inject(Fault(kind="invalid_json", endpoint="token", location=location, times=1, applied=True))
    for location in locations[5:15]:
        control.inject(Fault(kind="slow_body", endpoint="token", location=location, delay_seconds=1, applied=True))
    import_pairs(stack, control, locations)
    producer = producer_of(stack)
    ids: list[str] = []

    def send(number: int) -> None:
        ids.extend(producer.enqueue_many(row(location, f"contact-{number}") for location in locations).job_ids)

    send(0)
    stack.start_worker("one")
    stack.start_worker("two")

    def every_token_was_renewed_twice() -> bool:
        if all_done(
            store
        ):  # no faster than this machine delivers: else it has hardly time for anything but its backlog
            send(len(ids))
        assert [(lane.location_id, lane.hold) for lane in store.lanes() if lane.hold] == []
        asked = control.oauth()
        return all(
            max((one["generation"] for one in asked if one["location_id"] == location), default=0) >= 2
            for location in locations
        )

    until(every_token_was_renewed_twice, "each token renewed twice", LONG_SECONDS)
    until(lambda: all_done(store), "every job delivered", LONG_SECONDS)
    assert {(job.state, job.failures) for job in store.jobs(ids) if job} == {(State.DELIVERED, 0)}
    asked = control.oauth()
    assert {one["refresh_state"] for one in asked} == {"current", "grace"}
    by_generation = defaultdict(list)
    for one in asked:
        by_generation[one["location_id"], one["generation"]].append(one)
    for of, requests in by_generation.items():
        for one, other in pairwise(requests):
            waited = other["arrived_at"] - one["arrived_at"]
            # Its answer was lost, or so slow that it was given up.
            assert one["fault"] in ("reset", "invalid_json") or waited >= RENEWAL_TIMING.attempt_seconds, of
    assert list(check_consistency(store)) == []
    assert control.summary()["overlaps"] == []


def lane_of(stack: Stack, location: str) -> Any:
    return next(lane for lane in store_of(stack).lanes() if lane.location_id == location)


def test_a_revoked_token_costs_one_dead_letter_and_no_other_lane_anything(make_stack: Callable[..., Stack]) -> None:
    """However many requests of the location are out when the first answer comes: each answer takes 300 ms."""
    limits = ("--burst-limit", "100000", "--token", "sandbox-token", "--token", "pit-new=bad")
    stack = make_stack(*limits, "--latency", "0.3", burst_limit=100_000, **WITH_TOKENS)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    run(stack, "set", "bad", stdin="pit-revoked\n")
    producer = producer_of(stack)
    bad = producer.enqueue_many(row("bad", f"contact-{number}") for number in range(5000)).job_ids
    stack.start_worker("one")
    stack.start_worker("two")
    until(lambda: store.lanes()[0].hold, "the lane held")
    healthy = producer.enqueue_many(row(f"loc-{number % 10}", f"contact-{number}") for number in range(500)).job_ids
    until(lambda: store.counts()["delivered"] == len(healthy), "every healthy job delivered")
    lane = lane_of(stack, "bad")
    assert (lane.held_by, lane.hold) == ("authorization", "Invalid Private Integration token")
    until(lambda: store.counts()["in_flight"] == 0, "every answer")
    lane = lane_of(stack, "bad")
    dead, refused = lane.counts["dead"], control.summary()["locations"]["bad"]["requests"]
    assert (dead, lane.counts["pending"]) == (1, len(bad) - 1)
    assert 1 <= refused <= MOST_IN_FLIGHT

    reported = run(stack, "set", "bad", "--replay", stdin="pit-new\n")
    assert "bad resumed" in reported
    assert "replayed 1 dead letter\n" in reported
    assert "pit-new" not in reported
    until(lambda: all_done(store), "every job delivered")
    assert store.counts()["delivered"] == len(bad) + len(healthy)
    assert control.summary()["locations"]["bad"]["requests"] == len(bad) + refused
    assert list(check_consistency(store)) == []


def test_a_worker_killed_between_the_answer_and_its_writing(make_stack: Callable[..., Stack]) -> None:
    """Redis goes away while the token endpoint answers, then the worker, which alone has the new pair."""
    stack = make_stack("--token-seconds", "3600", **WITH_TOKENS, http_timeout_seconds=2, lease_seconds=4)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    control.inject(Fault(kind="slow_body", endpoint="token", delay_seconds=1, applied=True, times=1))
    import_pairs(stack, control, ["loc"])
    control.revoke("loc", access_only=True)
    job_id = producer_of(stack).enqueue(row("loc", "contact")).job_id
    worker = stack.start_worker("killed")
    until(control.oauth, "the request for a new pair")
    stack.redis.kill()
    until(lambda: "token_not_stored_yet" in worker.output, "the answer, which cannot be written down")
    worker.kill()
    stack.children.remove(worker)
    stack.redis.start()
    stack.start_worker("next")
    until(lambda: all_done(store), "the job delivered")
    job = store.job(job_id)
    assert job is not None
    assert job.state is State.DELIVERED
    assert [one["refresh_state"] for one in control.oauth()] == ["current", "grace"]
    assert [attempt.outcome for attempt in job.attempts][-1] == "delivered"


def test_a_refresh_that_is_refused_holds_the_lane(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(**WITH_TOKENS, api_token="none")
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    import_pairs(stack, control, ["loc"])
    control.revoke("loc")
    producer_of(stack).enqueue_many(row("loc", f"contact-{number}") for number in range(50))
    stack.start_worker()
    until(lambda: lane_of(stack, "loc").hold, "the lane held")
    until(lambda: store.counts()["in_flight"] == 0, "every answer")
    lane = lane_of(stack, "loc")
    assert lane.hold == "the token could not be renewed: invalid_grant: this refresh token is invalid"
    assert (lane.counts["dead"], lane.counts["pending"]) == (1, 49)
    assert len(control.oauth()) == 1
    reported = run(stack, "set", "loc", "--replay", stdin=json.dumps(control.grant("loc")))
    assert "loc resumed" in reported
    until(lambda: store.counts()["delivered"] == 50, "every job delivered")


def test_an_agency_token_is_exchanged_for_location_tokens(make_stack: Callable[..., Stack]) -> None:
    """The agency's own token has expired at first, and is renewed once; so are those of the locations, later."""
    stack = make_stack("--token-seconds", "4", **WITH_TOKENS, api_token="none")
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    agency = {"companyId": "agency", **control.grant(company="agency"), "expires_in": 0.001}
    rows = [agency, *({"locationId": f"loc-{number}", "agency": "agency"} for number in range(5))]
    run(stack, "import", "-", stdin="\n".join(map(json.dumps, rows)))
    producer = producer_of(stack)
    stack.start_worker()

    def exchanged_twice() -> bool:
        producer.enqueue_many(row(f"loc-{number}", "contact") for number in range(5))
        minted = Counter(one["location_id"] for one in control.oauth() if one["grant"] == "location")
        return len(minted) == 5 and min(minted.values()) >= 2

    until(exchanged_twice, "a second token for each location")
    until(lambda: all_done(store), "every job done")
    assert store.counts()["dead"] == 0
    spent = [one for one in control.oauth() if one["grant"] == "refresh_token"]
    assert {one["refresh_state"] for one in spent} == {"current"}
