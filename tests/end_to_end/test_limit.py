"""The limit, as the server counts it."""

import json
from collections.abc import Callable

from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from ops.sandbox.request_log import max_in_window
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until


def test_two_workers_on_a_hot_location_send_at_most_100_in_any_10_seconds(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.05-0.25")
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    ids = producer_of(stack).enqueue_many(row("hot", f"contact-{number}") for number in range(250)).job_ids
    stack.start_worker("one")
    stack.start_worker("two")
    until(lambda: all_done(store), "every job delivered")
    summary = control.summary()
    assert summary["requests"] == 250
    assert summary["throttled"] == 0
    assert summary["locations"]["hot"]["max_in_window"] == 100
    workers = {job.attempts[0].detail["worker"].split("@")[0] for job in store.jobs(ids) if job}
    assert workers == {"one", "two"}


def test_the_limit_in_the_headers_is_used_in_full_and_followed_both_ways(make_stack: Callable[..., Stack]) -> None:
    """It allows 250 to one location and 40 to another, and changes its mind while they are at work."""
    stack = make_stack("--burst-limit-of", "wide=250", "--burst-limit-of", "narrow=40", "--latency", "0.05-0.1")
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    producer_of(stack).enqueue_many(row("wide", f"contact-{number}") for number in range(700))
    producer_of(stack).enqueue_many(row("narrow", f"contact-{number}") for number in range(220))
    log = stack.folder / "one.log"
    stack.start_worker("one")
    until(lambda: len(control.arrivals("wide")) >= 400 and len(control.arrivals("narrow")) >= 60, "a second window")
    assert {lane.location_id: lane.api_burst for lane in store.lanes()} == {"wide": 250, "narrow": 40}
    assert 150 < max_in_window(control.arrivals("wide"), 10) <= 250
    # A location whose limit is lower than the default learns it by the first answers.
    before = len([seen for seen in control.requests("narrow") if seen["rate_limited"]])
    changed = len(control.requests())
    control.set_limits("wide", burst=60)
    control.set_limits("narrow", burst=120)
    until(lambda: all_done(store), "every job delivered")
    assert {lane.location_id: lane.api_burst for lane in store.lanes()} == {"wide": 60, "narrow": 120}
    narrow, wide = control.requests("narrow"), control.requests("wide")
    assert len([seen for seen in narrow if seen["rate_limited"]]) == before
    assert 60 < max_in_window([seen["arrived_at"] for seen in narrow], 10) <= 120
    refused = [seen["arrived_at"] for seen in wide if seen["rate_limited"]]
    assert all(seen["number"] >= changed for seen in wide if seen["rate_limited"])
    assert len(refused) <= 250
    assert max(refused, default=0) - min(refused, default=0) <= 10
    steps = [("wide", 100, 250), ("narrow", 100, 40), ("wide", 250, 60), ("narrow", 40, 120)]
    until(lambda: log.read_text().count("limit_changed") >= len(steps), "a log line of each change")
    lines = [json.loads(line) for line in log.read_text().splitlines() if "limit_changed" in line]
    assert sorted((line["location"], line["before"], line["now"]) for line in lines) == sorted(steps)
