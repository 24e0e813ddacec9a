"""Commands that depend on the replies to earlier ones, for a client with threads or with an event loop.

A generator yields what asks the client, and gets the reply.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from lanes.errors import ScriptError

T = TypeVar("T")
Ask = Callable[[Any], Any]
Steps = Generator[Ask, Any, T]


def run_steps(read: Callable[[Ask], Any], steps: Steps[T]) -> T:
    """Run steps with `LaneStore.read`; a step gets the error if Redis answers with one."""
    try:
        ask = next(steps)
        while True:
            try:
                reply = read(ask)
            except ScriptError as error:
                ask = steps.throw(error)
            else:
                ask = steps.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def run_steps_async(read: Callable[[Ask], Awaitable[Any]], steps: Steps[T]) -> T:
    """`run_steps` with `AsyncLaneStore.read`."""
    try:
        ask = next(steps)
        while True:
            try:
                reply = await read(ask)
            except ScriptError as error:
                ask = steps.throw(error)
            else:
                ask = steps.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
