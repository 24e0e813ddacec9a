"""Jobs through the real client and a real server that sends more than answers: each gets the outcome of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lanes.queue.connecting import connect
from lanes.queue.job import State
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from ops.sandbox import DEFAULT_TOKEN, Fault, FaultKind, Sandbox, SandboxSettings
from producers import OpportunityProducer
from tests.certificates import make_certificate
from tests.proxy import Proxy
from tests.worker.delivery.test_expired_lease import context_for
from worker.delivery.sender_pool import InlineSender
from worker.delivery.shift import SenderThread

JOBS = 12
SECONDS = 60.0
# The stray bytes exceed one read from the TLS layer, and fit into one TLS record.
LONG = "x" * 12_000
AROUND = [
    Fault(kind=FaultKind.EARLY_HINTS, contact_prefix="hit-"),
    Fault(kind=FaultKind.TRAILING_BYTES, contact_prefix="hit-", raw=LONG.encode()),
    Fault(kind=FaultKind.TWO_ANSWERS, contact_prefix="hit-", body={"message": LONG}),
]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=["http", "https"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Sandbox, str]]:
    """A sandbox that knows one pipeline, and its URL: its own, or that of a proxy that speaks TLS."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(SandboxSettings(known_pipelines=frozenset({"known"}))))
        if request.param == "http":
            yield sandbox, sandbox.url
            return
        certificate = make_certificate(tmp_path / "api.pem")
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
        proxy = stack.enter_context(Proxy(int(sandbox.url.rpartition(":")[2]), certificate))
        yield sandbox, f"https://127.0.0.1:{proxy.port}"


@pytest.fixture
def deliver(redis_url: str) -> Iterator[Callable[[str, list[tuple[str, str]]], list[State]]]:
    """Enqueue jobs for these pipelines and contacts, let one thread send them, and return each result."""
    with connect(redis_url) as client, OpportunityProducer.from_url(redis_url) as producer:

        def run(url: str, jobs: list[tuple[str, str]]) -> list[State]:
            settings = WorkerSettings(api_base_url=url, api_token=DEFAULT_TOKEN)
            bodies = [{"pipelineId": pipeline, "locationId": "loc", "contactId": contact} for pipeline, contact in jobs]
            ids = [producer.enqueue(body).job_id for body in bodies]
            SenderThread(
                context_for(settings, LaneStore(client)), InlineSender(SECONDS)
            ).work()  # until nothing has been due for a while
            return [producer.status(job_id).state for job_id in ids]

        yield run


@pytest.mark.parametrize("fault", AROUND, ids=lambda fault: fault.kind.value)
@pytest.mark.parametrize("hit", ["some", "all"])
def test_written_is_delivered_and_refused_is_dead(
    server: tuple[Sandbox, str],
    deliver: Callable[[str, list[tuple[str, str]]], list[State]],
    fault: Fault,
    hit: str,
) -> None:
    sandbox, url = server
    # One in three is refused, one in four comes with more than its answer.
    jobs = [
        ("unknown" if number % 3 == 1 else "known", f"{'hit' if hit == 'all' or number % 4 == 0 else 'quiet'}-{number}")
        for number in range(JOBS)
    ]
    sandbox.inject(fault)
    states = deliver(url, jobs)
    assert states == [State.DELIVERED if pipeline == "known" else State.DEAD for pipeline, _ in jobs]
    seen = sandbox.request_log.requests()
    assert len(seen) == JOBS
    assert [one.fault for one in seen] == [
        fault.kind.value if contact.startswith("hit") else None for _, contact in jobs
    ]
    written = {(key.pipeline_id, key.contact_id) for key in sandbox.records}
    assert written == {(pipeline, contact) for pipeline, contact in jobs if pipeline == "known"}
