"""Tokens: renewed while jobs go out, revoked, replaced, and renewed by a worker that dies in the middle of it."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lanes.audit import audit
from lanes.job import State
from ops.stack import Stack
from tests.end_to_end.conftest import all_done, producer_of, row, store_of, until
from worker.highlevel.sandbox import Fault, SandboxControl

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
WITH_TOKENS = {"secret_key": KEY, "oauth_client_id": "app", "oauth_client_secret": "app-secret"}
LANES = str(Path(sys.executable).with_name("lanes"))


def run(stack: Stack, *arguments: str, stdin: str = "") -> str:
    """Run `lanes token ...` and return what it told."""
    done = subprocess.run(
        [LANES, "token", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=stack.environ,
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


def test_tokens_that_expire_in_mid_run(make_stack: Callable[..., Stack]) -> None:
    """Two workers, 50 locations; some answers of the token endpoint are slow, some are lost."""
    stack = make_stack("--token-seconds", "6", "--latency", "0.02-0.06", **WITH_TOKENS, api_token="none")
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    locations = [f"loc-{number}" for number in range(50)]
    for location in locations[:5]:
        # The answer is lost after it took effect, for the first of them so late that the client has given up.
        control.fail(Fault(kind="reset", endpoint="token", location=location, times=2, applied=True))
        control.fail(Fault(kind="invalid_json", endpoint="token", location=location, times=1, applied=True))
    for location in locations[5:15]:
        control.fail(Fault(kind="slow_body", endpoint="token", location=location, delay_seconds=1, applied=True))
    import_pairs(stack, control, locations)
    producer = producer_of(stack)
    ids: list[str] = []

    def send(number: int) -> None:
        ids.extend(producer.enqueue_many(row(location, f"contact-{number}") for location in locations).job_ids)

    send(0)
    stack.start_worker("one")
    stack.start_worker("two")

    def every_token_was_renewed_twice() -> bool:
        send(len(ids))
        asked = control.oauth()
        return all(
            max((one["generation"] for one in asked if one["location_id"] == location), default=0) >= 2
            for location in locations
        )

    until(every_token_was_renewed_twice, "each token renewed twice")
    until(lambda: all_done(store), "every job delivered")
    assert {job.state for job in store.jobs(ids) if job} == {State.DELIVERED}
    asked = control.oauth()
    assert {one["stood"] for one in asked} == {"current", "grace"}
    answered = Counter((one["location_id"], one["generation"]) for one in asked if one["fault"] != "reset")
    for (location, generation), times in answered.items():
        lost = sum(
            one["fault"] == "invalid_json" and (one["location_id"], one["generation"]) == (location, generation)
            for one in asked
        )
        assert times - lost <= 1, (location, generation)
    assert list(audit(store)) == []
    assert control.account()["overlaps"] == []
