"""A fault: how it is injected, how it is undone, and how many repeated requests it may cost."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from tests.chaos.environment import LEASE, THREADS, Environment, EnvironmentFailedError
from tests.chaos.evidence import Injected

REQUESTS_PER_WORKER = THREADS  # that a worker may have at a request at once


class NotInjectedError(Exception):
    """A fault could not be injected, for the reason that the message gives. It left everything as it was."""


class Fault(ABC):
    """One fault, at one time.

    `targets`: no two faults of one target are in force at once. `min_seconds` and `max_seconds` are seconds for
    which it lasts. `repeats` is how many requests it may cause to be sent again: None for as many as there
    were, since the answers or reports of all of them may be lost.

    Args:
        chance: makes its random choices; the same seed gives the same choices.
    """

    name: ClassVar[str]
    targets: ClassVar[frozenset[str]]
    min_seconds: float = 1.0
    max_seconds: float = 3.0
    repeats: int | None = 0

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.emptied_at: float | None = None

    @classmethod
    def missing(cls) -> str | None:
        """Return why it cannot be injected on this machine, None when it can."""
        return None

    @abstractmethod
    def begin(self, environment: Environment) -> None:
        """Inject it.

        Raises:
            NotInjectedError: it could not be injected; `end` will not be called. The same holds for a missing right,
                program, process or command of Redis (`CANNOT_INJECT` in `run.py`).
        """

    @abstractmethod
    def end(self, environment: Environment) -> None:
        """Undo it, without waiting for recovery: other faults may be in force."""

    def injected(self, began_at: float) -> Injected:
        """Return what goes into the evidence, once it has ended."""
        return Injected(self.name, began_at, time.monotonic(), self.repeats, self.emptied_at)


def wait(so: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition.

    Raises:
        EnvironmentFailedError: it did not come within the time.
    """
    deadline = time.monotonic() + seconds
    while not so():
        if time.monotonic() > deadline:
            message = f"not within {seconds:g} s: {what}"
            raise EnvironmentFailedError(message)
        time.sleep(0.02)


BEYOND_A_LEASE = LEASE + 1
