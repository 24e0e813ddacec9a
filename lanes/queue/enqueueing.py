"""The exchange of an enqueue with Redis, without I/O: shared by the synchronous and the asynchronous store."""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from secrets import token_urlsafe
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
EnqueueExchange = Generator[Iterable[Command], list[Any], EnqueueResults]


@dataclass(frozen=True, slots=True)
class DurabilityPolicy:
    """The durability that an enqueue waits for, and for how many seconds."""

    durability: Durability = ACCEPTED
    seconds: float = 10.0


DEFAULT_DURABILITY_POLICY = DurabilityPolicy()


def new_bulk() -> str:
    """Return a new id of a bulk."""
    return token_urlsafe(12)


def split_into_calls(new_jobs: Sequence[NewJob]) -> list[Sequence[NewJob]]:
    """Return the jobs of each call of the script."""
    return [new_jobs[start : start + JOBS_PER_CALL] for start in range(0, len(new_jobs), JOBS_PER_CALL)]


def enqueue_exchange(
    script: Script,
    calls: Iterable[Sequence[NewJob]],
    known_seconds: float,
    policy: DurabilityPolicy,
    prefix: str,
    *,
    bulk: str = "",
) -> EnqueueExchange:
    """Enqueue jobs in one round trip; return a result for each.

    `bulk` is the id of an `enqueue_many`, which may have several exchanges: once a row is over a quota, all later rows
    are refused.

    Each call is sent before the next is taken from `calls`, so Redis can work on one while the next is made. Many jobs
    bring the script along. A single one does not, and takes a second round trip if Redis does not have it.

    Raises:
        NotDurableError: they were accepted, but the durability could not be confirmed.
    """
    declared = build(prefix, "schema")
    ends_at = time.monotonic() + policy.seconds
    is_accepted_enough = policy.durability.level == "accepted"
    sizes: list[int] = []

    def enqueues() -> Iterator[Command]:
        for new_jobs in calls:
            sizes.append(len(new_jobs))
            arguments = transitions.enqueue_arguments(new_jobs, known_seconds, policy.seconds, bulk)
            yield ("EVALSHA", script.sha, 1, declared, *arguments)
        if not is_accepted_enough:
            left = ends_at - time.monotonic()
            yield from policy.durability.commands(
                build(prefix, "durability_marker"), max(1, round(1000 * (left - min(ANSWER_SECONDS, left / 2))))
            )

    replies: list[Any] = []
    if isinstance(calls, list) and len(calls) == 1 == len(calls[0]):
        replies = yield enqueues()
    if not replies or isinstance(replies[0], NoScriptError):
        sizes.clear()
        replies = (yield chain([("SCRIPT", "LOAD", script.text)], enqueues()))[1:]
    answers = _read(script, sizes, replies[: len(sizes)])
    if not is_accepted_enough and any(isinstance(answer, EnqueueResult) for answer in answers):
        try:
            unmet_durability = policy.durability.unmet_durability(replies[len(sizes) :])
        except NoWaitAofError:
            unmet_durability = unsynced((yield aof_questions(build(prefix, "aof_settings"))))
        if unmet_durability is not None:
            raise NotDurableError(unmet_durability, answers)
    return answers


def _read(script: Script, sizes: Sequence[int], replies: Sequence[Any]) -> EnqueueResults:
    answers: EnqueueResults = []
    for size, reply in zip(sizes, replies, strict=True):
        if isinstance(reply, ResponseError):
            answers += [explain(script, reply)] * size
        else:
            answers += transitions.accepted(reply)
    return answers
