"""The exchange of an enqueue with Redis, without I/O: shared by the synchronous and the asynchronous store."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

from lanes.queue import transitions
from lanes.queue.new_job import EnqueueResult, NewJob, NotDurableError
from lanes.storage.durability import ACCEPTED, Command, Durability, NoWaitAofError, aof_questions, unsynced
from lanes.storage.keys import build
from lanes.storage.redis_errors import explain
from lanes.storage.scripts import Script

# Jobs in one call of the script, so that other clients do not wait long.
JOBS_PER_CALL = 50
# WAIT ends this long before the deadline, so that its reply arrives in time: Redis checks its timers ten times a
# second. At most half of the time.
ANSWER_SECONDS = 1.0

EnqueueResults = list[EnqueueResult | Exception]
# Yields the commands of each round trip, and receives the replies, an error for each refused command.
EnqueueExchange = Generator[list[Command], list[Any], EnqueueResults]


@dataclass(frozen=True, slots=True)
class DurabilityPolicy:
    """The durability that an enqueue waits for, and for how many seconds."""

    durability: Durability = ACCEPTED
    seconds: float = 10.0


DEFAULT_DURABILITY_POLICY = DurabilityPolicy()


def enqueue_exchange(
    script: Script,
    new_jobs: Sequence[NewJob],
    known_seconds: float,
    policy: DurabilityPolicy,
    prefix: str,
) -> EnqueueExchange:
    """Enqueue jobs in one round trip, two if Redis does not have the script; return a result for each.

    Raises:
        NotDurableError: they were accepted, but the durability could not be confirmed.
    """
    calls = [new_jobs[start : start + JOBS_PER_CALL] for start in range(0, len(new_jobs), JOBS_PER_CALL)]
    declared = build(prefix, "schema")
    enqueues: list[Command] = [
        ("EVALSHA", script.sha, 1, declared, *transitions.enqueue_arguments(some, known_seconds)) for some in calls
    ]
    ends_at = time.monotonic() + policy.seconds

    def waits() -> list[Command]:
        left = ends_at - time.monotonic()
        return policy.durability.commands(
            build(prefix, "durability_marker"), max(1, round(1000 * (left - min(ANSWER_SECONDS, left / 2))))
        )

    replies: list[Any] = []
    if len(new_jobs) == 1:
        replies = yield [*enqueues, *waits()]
    if not replies or isinstance(replies[0], NoScriptError):
        replies = (yield [("SCRIPT", "LOAD", script.text), *enqueues, *waits()])[1:]
    answers = _read(script, calls, replies[: len(calls)])
    if any(isinstance(answer, EnqueueResult) for answer in answers):
        try:
            unmet_durability = policy.durability.unmet_durability(replies[len(calls) :])
        except NoWaitAofError:
            unmet_durability = unsynced((yield aof_questions(build(prefix, "aof_settings"))))
        if unmet_durability is not None:
            raise NotDurableError(unmet_durability, answers)
    return answers


def _read(script: Script, calls: Sequence[Sequence[NewJob]], replies: Sequence[Any]) -> EnqueueResults:
    answers: EnqueueResults = []
    for some, reply in zip(calls, replies, strict=True):
        if isinstance(reply, ResponseError):
            answers += [explain(script, reply)] * len(some)
        else:
            answers += transitions.accepted(reply)
    return answers
