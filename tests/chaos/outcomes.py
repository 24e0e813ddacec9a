"""The service of the producers, and what it is told of its jobs."""

from lanes.outcomes.steps import run_steps
from lanes.outcomes.stream import OutcomeStream
from lanes.queue.connecting import connect
from lanes.queue.job import State
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.storage.stored import StoredHash
from ops.embedded.redis_server import RedisServer

SERVICE = "chaos"
PAGE = 1000


def add_service(server: RedisServer) -> None:
    """Add the service. The server is at a port of its own: it has no jobs yet, and nobody else reaches it."""
    server.start()
    with connect(server.url) as client:
        ServiceStore(LaneStore(client)).add(Service(SERVICE))
    server.stop()


def read_told(store: LaneStore) -> dict[str, State] | None:
    """Return the last state of each job that the service is told of; None if outcomes were removed."""
    if StoredHash(store.read_hash("service", SERVICE)).text("trimmed_to"):
        return None
    told: dict[str, State] = {}
    stream = OutcomeStream(store.prefix, SERVICE)
    page = run_steps(store.read, stream.page(None, PAGE))
    while page.outcomes:
        told |= {outcome.job_id: outcome.state for outcome in page.outcomes}
        page = run_steps(store.read, stream.page(page.cursor, PAGE))
    return told
