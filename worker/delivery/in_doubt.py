"""Requests in doubt: it is unknown whether the API accepted them, or whether an answer belongs to them."""

import threading
from dataclasses import replace

from lanes.queue.results import Released
from lanes.versions import is_unnamed
from worker.highlevel.client import HighLevelClient
from worker.highlevel.confirmation import fields_of
from worker.highlevel.outcomes import Outcome, OutcomeKind

MAX_OTHER_CONTACTS = 2


def is_final(job: Released, outcome: Outcome, *, repeat_unnamed: bool) -> bool:
    """Return whether a job must not be sent again: the API may have it, and a repeat may make a second opportunity."""
    return outcome.in_doubt and not repeat_unnamed and is_unnamed(job.version, fields_of(job.body))


def unconfirmed_if_final(job: Released, outcome: Outcome, *, repeat_unnamed: bool) -> Outcome:
    """Return an outcome; a retry becomes unconfirmed if the job must not be sent again."""
    if outcome.kind is OutcomeKind.RETRY and is_final(job, outcome, repeat_unnamed=repeat_unnamed):
        return replace(outcome, kind=OutcomeKind.UNCONFIRMED)
    return outcome


class SenderState(threading.local):
    """What a sender thread remembers of its last requests.

    A thread that fails between its request and its report gets the same attempt again (see `release_next.lua`).
    """

    _sent = ""
    _other_contacts = 0

    def begin(self, job: Released) -> Outcome | None:
        """Note that a job is sent now; return the outcome if this attempt was sent already."""
        attempt, sent = f"{job.id}:{job.attempt}", self._sent
        self._sent = attempt
        if attempt != sent:
            return None
        return Outcome(OutcomeKind.UNCONFIRMED, message="it was sent before, and its answer was lost", in_doubt=True)

    def note(self, outcome: Outcome, client: HighLevelClient) -> None:
        """Close the thread's connection after two answers in a row with other contacts: they may be misplaced."""
        self._other_contacts = self._other_contacts + 1 if outcome.other_contact else 0
        if self._other_contacts >= MAX_OTHER_CONTACTS:
            client.drop_connection()
            self._other_contacts = 0
