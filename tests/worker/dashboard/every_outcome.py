"""A run with every outcome, so that no page is empty: for the tests of the pages and for the screenshots."""

from lanes.activity import audit_log
from ops.sandbox import Fault, SandboxControl
from tests.helpers import row, until
from tests.worker.dashboard.conftest import Site

SANDBOX = ("--known-pipeline", "pipe", "--latency", "0.02-0.08", "--burst-limit", "20", "--burst-window", "2")
SETTINGS = {"backoff_base_seconds": 0.1, "backoff_max_seconds": 0.2, "burst_window_seconds": 2, "burst_limit": 20}


def run_every_outcome(site: Site, busy: int = 40) -> None:
    """Deliver, retry, throttle, refuse, merge, cancel, expire and hold; `busy` jobs of one location keep it so."""
    control = SandboxControl(site.stack.sandbox_url)
    control.inject(Fault(kind="status", status=503, first=2, contact_prefix="flaky-"))
    control.inject(Fault(kind="status", status=429, first=1, contact_prefix="throttled-", retry_after=1))
    control.inject(Fault(kind="status", status=403, location="loc-locked", message="The token does not have access"))
    put = site.producer.enqueue
    cancelled = put(row("loc-paused", "contact-gone")).job_id
    site.store.hold("loc-paused", "we look at their pipeline", "ana")
    for number in range(3):
        put(row("loc-paused", f"contact-{number}"))
    site.store.cancel(cancelled, 3600)
    for number in range(busy):
        put(row("loc-busy", f"contact-{number}", name=f"Deal {number}", monetaryValue=10 * number))
    for number in range(4):
        put(row("loc-small", f"flaky-{number}"))
        put(row("loc-small", f"throttled-{number}"))
        put(row("loc-small", f"contact-{number}", pipelineId="gone"))
        put(row("loc-small", "merging", name=f"Name {number}"), merge=True)
    put(row("loc-locked", "contact"))
    put(row("loc-locked", "contact-2"))
    for who, what, on, detail in (
        ("ana", "hold", "loc-paused", "we look at their pipeline"),
        ("local", "cancel", cancelled, ""),
        ("ben@example.com", "limit", "loc-busy", "burst 20"),
        ("ana", "replay", "2 dead letters: location loc-small, status 400", "after the pipeline was restored"),
    ):
        audit_log.append(site.store, who, what, on, detail)


def settled(site: Site) -> bool:
    """Whether all that can be done is: what is left waits for a person."""
    counts = site.store.counts()
    held = sum(lane.counts["pending"] for lane in site.store.lanes() if lane.hold)
    return counts["in_flight"] == 0 and counts["pending"] == held


def wait_until_settled(site: Site) -> None:
    until(lambda: settled(site), "everything done that can be")
