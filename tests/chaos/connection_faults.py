"""Faults of the connections between the parts, and of the API."""

import random

from ops.sandbox import Fault as ApiFault
from ops.sandbox import FaultKind
from tests.chaos.environment import Environment
from tests.chaos.fault import Fault
from tests.chaos.traffic import PIPELINE
from tests.proxy import Proxy

CONNECTIONS = ("producers-Redis", "workers-Redis", "workers-API")


class ConnectionFault(Fault):
    """A fault of one connection. Delayed bytes are dropped at the end: no network keeps them for long."""

    targets = frozenset({"connections"})
    beyond_a_lease = False  # whether reports may be held up for so long

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self.which = self.chance.choice(CONNECTIONS)
        may_cost_answers = self.which == "workers-API" or (self.which == "workers-Redis" and self.beyond_a_lease)
        self.repeats = None if may_cost_answers else 0

    def proxy(self, environment: Environment) -> Proxy:
        """Return the proxy of the connection."""
        return {
            "producers-Redis": environment.producers_proxy,
            "workers-Redis": environment.workers_proxy,
            "workers-API": environment.api_proxy,
        }[self.which]

    def end(self, environment: Environment) -> None:
        self.proxy(environment).cut()
        self.proxy(environment).heal()


class ConnectionsCut(ConnectionFault):
    """Every connection is reset."""

    name = "connections cut"
    min_seconds, max_seconds = 0.1, 0.5

    def begin(self, environment: Environment) -> None:
        self.proxy(environment).cut()


class ConnectionsRefused(ConnectionFault):
    """Connections are cut, and new ones are refused."""

    name = "connections refused"
    beyond_a_lease = True

    def begin(self, environment: Environment) -> None:
        self.proxy(environment).refuse()
        self.proxy(environment).cut()


class ConnectionsHalfOpen(ConnectionFault):
    """Both ends stay up and get no bytes from each other."""

    name = "connections half open"
    beyond_a_lease = True
    min_seconds, max_seconds = 2, 6

    def begin(self, environment: Environment) -> None:
        self.proxy(environment).stall()


class ConnectionsDelayed(ConnectionFault):
    """Every chunk comes late."""

    name = "connections delayed"
    beyond_a_lease = True
    min_seconds, max_seconds = 2, 4

    def begin(self, environment: Environment) -> None:
        self.proxy(environment).delay = self.chance.uniform(0.05, 0.4)


class ConnectionsThrottled(ConnectionFault):
    """Bytes come so slowly that a request takes much of its time limit."""

    name = "connections throttled to bytes"
    beyond_a_lease = True
    min_seconds, max_seconds = 2, 4

    def begin(self, environment: Environment) -> None:
        self.proxy(environment).rate = self.chance.randrange(400, 1200)


class ReplyCut(ConnectionFault):
    """Some replies are cut in the middle: the command was executed, and the client does not know it."""

    name = "replies cut in the middle"
    min_seconds, max_seconds = 1, 2

    def begin(self, environment: Environment) -> None:
        marker = b"POST" if self.which == "workers-API" else b"EVALSHA"
        for _ in range(12):
            self.proxy(environment).lose_reply(marker, after=self.chance.randrange(12))


class ApiMisbehaves(Fault):
    """An API that fails instead of answering."""

    targets = frozenset({"API"})

    def faults(self) -> list[ApiFault]:
        """Return the faults of the sandbox."""
        raise NotImplementedError

    def begin(self, environment: Environment) -> None:
        for fault in self.faults():
            environment.control.inject(fault)

    def end(self, environment: Environment) -> None:
        environment.control.clear_faults()


class ApiSlow(ApiMisbehaves):
    """Half of the answers take over a second to arrive, drop by drop."""

    name = "API slow"
    min_seconds, max_seconds = 2, 4

    def faults(self) -> list[ApiFault]:
        return [
            ApiFault(
                kind=FaultKind.SLOW_BODY,
                delay_seconds=1.2,
                probability=0.5,
                applied=True,
                sized=True,
                pipeline=PIPELINE,
            )
        ]


class ApiResets(ApiMisbehaves):
    """Connections are reset instead of answered; of some, the upsert took effect."""

    name = "API resets"

    def faults(self) -> list[ApiFault]:
        return [ApiFault(kind=FaultKind.RESET, probability=0.3, applied=applied) for applied in (True, False)]


class ApiNever(ApiMisbehaves):
    """A part of the requests is never answered; of some, the upsert took effect."""

    name = "API never answers"
    min_seconds, max_seconds = 2, 4

    def faults(self) -> list[ApiFault]:
        return [ApiFault(kind=FaultKind.TIMEOUT, probability=0.2, applied=applied) for applied in (True, False)]


class ApiFails(ApiMisbehaves):
    """Enough 5xx for an outage."""

    name = "API answers 5xx"
    min_seconds, max_seconds = 2, 4

    def faults(self) -> list[ApiFault]:
        return [ApiFault(kind=FaultKind.STATUS, status=self.chance.choice((500, 502, 503, 504)))]


class ApiThrottles(ApiMisbehaves):
    """Many 429s without a cause."""

    name = "API answers 429"
    min_seconds, max_seconds = 2, 3

    def faults(self) -> list[ApiFault]:
        return [ApiFault(kind=FaultKind.STATUS, status=429, retry_after=1, probability=0.6)]


class ApiTwice(Fault):
    """Every answer comes twice on its connection: the second must not count as the answer to the next request."""

    name = "API answers twice"
    targets = frozenset({"answers"})
    min_seconds, max_seconds = 1, 3

    def begin(self, environment: Environment) -> None:
        environment.api_proxy.duplicate = True

    def end(self, environment: Environment) -> None:
        environment.api_proxy.duplicate = False


class ApiHints(ApiMisbehaves):
    """A 103 comes before half of the answers: no answer may count as the answer to another request."""

    name = "API sends early hints"

    def faults(self) -> list[ApiFault]:
        return [ApiFault(kind=FaultKind.EARLY_HINTS, probability=0.5)]


class ApiStrays(ApiMisbehaves):
    """Stray bytes follow some answers; whole answers follow others.

    Not together with faults of the lines: on a slow line these bytes come when the next request is on its way, and then
    they cannot be told from its answer.
    """

    name = "API sends more than an answer"
    targets = frozenset({"API", "lines"})

    def faults(self) -> list[ApiFault]:
        return [ApiFault(kind=kind, probability=0.3) for kind in (FaultKind.TRAILING_BYTES, FaultKind.TWO_ANSWERS)]


class ApiMaintained(ApiMisbehaves):
    """A page with the status 200 instead of answers: nothing took effect."""

    name = "API shows a maintenance page"

    def faults(self) -> list[ApiFault]:
        return [ApiFault(kind=FaultKind.MAINTENANCE_PAGE, probability=0.5, pipeline=PIPELINE)]


class ApiBabbles(ApiMisbehaves):
    """A 2xx whose body is cut off: it is unknown whether the API took the job, and it is sent again."""

    name = "API answers half a body"

    def faults(self) -> list[ApiFault]:
        return [ApiFault(kind=FaultKind.INVALID_JSON, status=200, probability=0.5, applied=True, pipeline=PIPELINE)]


CONNECTION_FAULTS: tuple[type[Fault], ...] = (
    ConnectionsCut,
    ConnectionsRefused,
    ConnectionsHalfOpen,
    ConnectionsDelayed,
    ConnectionsThrottled,
    ReplyCut,
)
API_FAULTS: tuple[type[Fault], ...] = (
    ApiSlow,
    ApiResets,
    ApiNever,
    ApiFails,
    ApiThrottles,
    ApiTwice,
    ApiHints,
    ApiStrays,
    ApiMaintained,
    ApiBabbles,
)
