"""What an enqueue says to Redis, in turns, apart from how it is said: so the two faces of the store share it."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

from lanes import transitions
from lanes.durability import ACCEPTED, AOF_SETTINGS, Command, Durability, NoWaitAofError, unsynced
from lanes.errors import NotDurableError
from lanes.loader import Script
from lanes.order import Accepted, Order
from lanes.redis_errors import explain

# Orders that one call of the script takes: many share its beginning, and no other client waits for long.
ORDERS_IN_A_CALL = 50
# Before its time is over, so that Redis has answered what it knows while somebody listens: it looks at its timers ten
# times a second. Half of the time if there is not much.
ANSWER_SECONDS = 1.0

Answers = list[Accepted | Exception]
# A turn is what is sent in one go over one connection, and the replies, an error where Redis refused a command.
Talk = Generator[list[Command], list[Any], Answers]


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms jobs are enqueued: how safe before the answer, and in how many seconds."""

    durability: Durability = ACCEPTED
    seconds: float = 10.0


DEFAULT_TERMS = Terms()


def enqueue_talk(script: Script, orders: Sequence[Order], known_seconds: float, terms: Terms, mark: str) -> Talk:
    """Enqueue orders in one turn, two if Redis does not have the script; return one answer for each.

    Raises:
        NotDurableError: they were accepted, and are not known to be as safe as the terms say.
    """
    calls = [orders[start : start + ORDERS_IN_A_CALL] for start in range(0, len(orders), ORDERS_IN_A_CALL)]
    enqueues: list[Command] = [
        ("EVALSHA", script.sha, 0, *transitions.enqueue_arguments(some, known_seconds)) for some in calls
    ]
    ends_at = time.monotonic() + terms.seconds

    def waits() -> list[Command]:
        left = ends_at - time.monotonic()
        return terms.durability.commands(mark, max(1, round(1000 * (left - min(ANSWER_SECONDS, left / 2)))))

    replies: list[Any] = []
    if len(orders) == 1:
        replies = yield [*enqueues, *waits()]
    if not replies or isinstance(replies[0], NoScriptError):
        replies = (yield [("SCRIPT", "LOAD", script.text), *enqueues, *waits()])[1:]
    answers = _read(script, calls, replies[: len(calls)])
    if any(isinstance(answer, Accepted) for answer in answers):
        try:
            shortfall = terms.durability.shortfall(replies[len(calls) :])
        except NoWaitAofError:
            shortfall = unsynced((yield [AOF_SETTINGS])[0])
        if shortfall is not None:
            raise NotDurableError(shortfall, answers)
    return answers


def _read(script: Script, calls: Sequence[Sequence[Order]], replies: Sequence[Any]) -> Answers:
    answers: Answers = []
    for some, reply in zip(calls, replies, strict=True):
        if isinstance(reply, ResponseError):
            answers += [explain(script, reply)] * len(some)
        else:
            answers += transitions.accepted(reply)
    return answers
