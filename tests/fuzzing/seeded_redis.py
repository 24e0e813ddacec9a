"""A real Redis with some of everything in it, for targets that need one; it is put back after an input that changed it.

It is started when it is first asked for, one for each process, and ends with that.
"""

import atexit
import functools
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from lanes.activity import audit_log
from lanes.dead_letters import operations
from lanes.queue.connecting import connect
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import WorkerSettings
from ops.embedded.redis_server import RedisServer
from producers import OpportunityProducer
from tests.fuzzing.pieces import MARK
from worker.tokens.credential import read_credential
from worker.tokens.credential_admin import CredentialAdmin
from worker.tokens.vault import Vault, new_key

# Nothing is to be kept.
OPTIONS = ("--appendonly", "no", "--save", "")
SECRET = "pit-not-to-be-seen"
CONSUMER = Consumer("fuzz", lease=3600, retention=3600, limits=DefaultLimits(burst=1000, window=10, daily=100_000))
HOSTILE = f"\x1b[31m{MARK}\u202e\r\nX-Split: 1"

State = dict[bytes, bytes]


class SeededRedis:
    """The Redis, and what it held when it was seeded. `known` are names of jobs, lanes and services in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.secret_key = new_key()
        self.settings = WorkerSettings.load(self.environ(), env_file=None)
        self.store = LaneStore(connect(url))
        self.known = ("letter0", "letter1", "letter2", "loc", "held", "shop", "everything", *self._seed())
        self._seeded = self.state()

    def environ(self) -> dict[str, str]:
        """Return what names this Redis to a process."""
        return {"LANES_REDIS_URL": self.url, "LANES_SECRET_KEY": self.secret_key, "LANES_API_TOKEN": SECRET}

    def state(self) -> State:
        """Return all that Redis holds, byte for byte, without what an enqueue notes for some ms."""
        client = self.store.client
        briefly = self.store.key("memory_checked").encode()
        names = [name for name in cast("list[bytes]", client.keys("*")) if name != briefly]
        with client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.dump(name)
            found = dict(zip(names, pipe.execute(), strict=True))
        return {name: held for name, held in found.items() if held is not None}

    def put_back(self) -> None:
        """Make it what it was."""
        if self.state() == self._seeded:
            return
        with self.store.client.pipeline() as pipe:
            pipe.flushall()
            for name, held in self._seeded.items():
                pipe.restore(name, 0, held)
            pipe.execute()

    def _seed(self) -> list[str]:
        """Store jobs in several states, a hold, a token, a service and audit-log entries; return the job ids."""
        self.store.client.flushall()
        producer = OpportunityProducer(self.store, self.settings)
        ServiceStore(self.store).add(Service("shop"))
        self.store.client.xgroup_create(self.store.key("outcomes", "shop"), "readers", id="0", mkstream=True)

        def enqueue(contact: str, location: str = "loc", **fields: object) -> str:
            return producer.enqueue(
                {"pipelineId": "pipe", "locationId": location, "contactId": contact, **fields}, service="shop"
            ).job_id

        delivered = enqueue("first", name="a deal")
        self.store.release(CONSUMER)
        answer = json.dumps({"status": 200, "opportunity_id": MARK})
        self.store.deliver(AttemptReport(delivered, 1, answer, CONSUMER.limits), retention=604_800)
        jobs = [delivered, enqueue("second", name=MARK), enqueue("third", "held")]
        operations.restore(self.store, [_dead_letter(number) for number in range(3)])
        self.store.hold("held", MARK, MARK)
        CredentialAdmin(self.store, Vault(self.settings.secret_key)).put("loc", read_credential(SECRET, 1.0))
        services = ServiceStore(self.store)
        services.add(Service("shop", max_pending=10**6))
        services.make_key("shop")
        audit_log.append(self.store, HOSTILE, "export", MARK, HOSTILE)
        return jobs


def _dead_letter(number: int) -> DeadLetter:
    """Return a dead letter whose answer and body are hostile."""
    body = {"pipelineId": "pipe", "locationId": "loc", "contactId": f"contact{number}", "name": HOSTILE}
    order = NewJob(f"letter{number}", "loc", f"pipe/contact{number}", json.dumps(body).encode(), service="shop")
    detail = {"status": 422, "message": HOSTILE, "code": HOSTILE, "trace_id": MARK, "worker": MARK}
    at = 1_700_000_000.0 + number
    return DeadLetter(order, Reason.REFUSED, at - 60, at, (Attempt(1, "refused", at - 1, at, detail),))


@functools.cache
def seeded_redis() -> SeededRedis:
    """Return the seeded Redis of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz"))
    return SeededRedis(stack.enter_context(RedisServer(Path(folder), options=OPTIONS)).url)
