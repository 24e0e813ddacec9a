"""A Redis, the sandbox with limits and latencies, and waiting for what happens there."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.figures import BenchmarkError
from benchmarks.plan import Limit
from ops.embedded.processes import STOP_SECONDS, Child
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl

DEADLINE_SECONDS = 600.0
POLL_SECONDS = 0.1
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Environment:
    """The Redis and the sandbox that all compared systems use."""

    stack: Stack
    control: SandboxControl
    limit: Limit

    @property
    def delivered(self) -> int:
        """How many upserts took effect so far."""
        succeeded: int = self.control.summary()["succeeded"]
        return succeeded


@contextmanager
def start_environment(
    folder: Path, limit: Limit, latency: tuple[float, float], settings: Mapping[str, str] | None = None
) -> Iterator[Environment]:
    """Start Redis, and a sandbox that enforces the limit and takes so long for an answer (seconds, least and most)."""
    with Stack(folder, {**limit.settings, **(settings or {})}) as stack:
        stack.start_redis()
        stack.start_sandbox(*limit.options, "--latency", f"{latency[0]}-{latency[1]}")
        yield Environment(stack, SandboxControl(stack.sandbox_url), limit)


def until(stack: Stack, so: Callable[[], bool], needed: Sequence[Child], poll: float = POLL_SECONDS) -> None:
    """Wait until something is so.

    Raises:
        BenchmarkError: it took too long.
        StackError: a part that is needed ended.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not so():
        stack.check(*needed)
        if time.monotonic() > deadline:
            tails = "\n".join(child.tail() for child in needed)
            message = f"not done within {DEADLINE_SECONDS:g} s:\n{tails}"
            raise BenchmarkError(message)
        time.sleep(poll)


def end(stack: Stack, children: Sequence[Child]) -> None:
    """Stop some of the parts gracefully; the others go on."""
    for child in children:
        child.ask_to_end()
    for child in children:
        child.wait(STOP_SECONDS)
        child.kill()
        stack.children.remove(child)


def paced(items: Iterable[Item], per_second: float) -> Iterator[Item]:
    """Yield items at this rate at most; after a delay it catches up."""
    began = time.monotonic()
    for number, item in enumerate(items):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        yield item
