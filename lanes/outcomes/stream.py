"""The stream of a service: reads it as a member of a consumer group, or from a cursor."""

import re
from dataclasses import dataclass

from lanes.errors import LanesError, ScriptError
from lanes.outcomes.outcome import Entry, Outcome, read_entries
from lanes.outcomes.steps import Ask, Steps
from lanes.storage.keys import build
from lanes.storage.stored import bytes_of, text_of

BATCH = 100
# One name for all: Redis gives each entry to one of the processes, and what none of them acknowledged to any of them.
# Names of processes would never be removed.
CONSUMER = "consumers"
BEGINNING = "0-0"
_CURSOR = re.compile(r"\d{1,20}-\d{1,20}")


class NoOutcomesError(LanesError):
    """The service was not added, or has no outcomes."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} has no outcomes: turn them on with `lanes service add {service} --outcomes`")
        self.service = service


class CursorError(LanesError):
    """The text is no cursor that a page of outcomes had."""

    problem = "is no cursor of outcomes: take the `cursor` of a page"

    def __init__(self, cursor: str) -> None:
        super().__init__(f"{cursor!r} {self.problem}")
        self.cursor = cursor


@dataclass(frozen=True, slots=True)
class OutcomePage:
    """Some outcomes, in the order of the ends, and the cursor for those after them.

    `trimmed`: outcomes after the cursor that was given were removed before they were read.
    """

    outcomes: tuple[Outcome, ...]
    cursor: str
    trimmed: bool = False


class OutcomeStream:
    """The stream of one service, below a prefix. Methods return steps for `run_steps`."""

    def __init__(self, prefix: str, service: str) -> None:
        self.service = service
        self.key = bytes_of(build(prefix, "outcomes", service))
        self._settings = bytes_of(build(prefix, "service", service))

    def check(self) -> Steps[None]:
        """Check that outcomes are written.

        Raises:
            NoOutcomesError: they are not.
        """
        outcomes = yield lambda client: client.hget(self._settings, "outcomes")
        if outcomes != b"1":
            raise NoOutcomesError(self.service)

    def page(self, after: str | None, count: int) -> Steps[OutcomePage]:
        """Read outcomes after a cursor, from the oldest on without one: at least `count`, if there are as many.

        A page ends with a whole entry, so it may have some hundred more.

        Raises:
            CursorError: `after` is no cursor.
            NoOutcomesError: there are none of this service.
        """
        since = after or BEGINNING
        if not _CURSOR.fullmatch(since):
            raise CursorError(since)
        try:
            found, (outcomes, trimmed_to) = (
                yield lambda client: (
                    client.pipeline(transaction=False)
                    .xrange(self.key, min=f"({since}", count=count)
                    .hmget(self._settings, ["outcomes", "trimmed_to"])
                    .execute()
                )
            )
        except ScriptError as error:
            if "stream ID" in str(error) or "invalid start ID" in str(error):  # no number, or the last one there is
                raise CursorError(since) from None
            raise
        if outcomes != b"1":
            raise NoOutcomesError(self.service)
        trimmed = bool(after) and _position(since) < _position(text_of(trimmed_to or b""))
        page: list[Outcome] = []
        for entry in read_entries(self.service, found):
            page += entry.outcomes
            since = entry.id
            if len(page) >= count:
                break
        return OutcomePage(tuple(page), since, trimmed)


class GroupReader:
    """Reads a stream as a member of a group: each outcome once, and again if it is not acknowledged in time."""

    def __init__(self, stream: OutcomeStream, group: str, claim_seconds: float) -> None:
        self.claim_seconds = claim_seconds
        self._stream, self._group, self._key = stream, bytes_of(group), stream.key
        self._claimed_to = BEGINNING

    def read(self, block_seconds: float) -> Steps[list[Entry]]:
        """Read entries: those that nobody acknowledged for `claim_seconds`, else new ones.

        Waits up to `block_seconds` for one. A group that does not exist begins with the oldest outcome.

        Raises:
            NoOutcomesError: the group does not exist, and no outcomes are written.
        """
        try:
            return (yield from self._read(block_seconds))
        except ScriptError as error:
            if "NOGROUP" not in str(error):
                raise
        yield from self._stream.check()
        try:
            yield lambda client: client.xgroup_create(self._key, self._group, id="0", mkstream=True)
        except ScriptError as error:
            if "BUSYGROUP" not in str(error):  # another process has just created it
                raise
        return (yield from self._read(block_seconds))

    def _read(self, block_seconds: float) -> Steps[list[Entry]]:
        reply = yield lambda client: client.xautoclaim(
            self._key,
            self._group,
            CONSUMER,
            max(1, round(self.claim_seconds * 1000)),
            start_id=self._claimed_to,
            count=BATCH,
        )
        self._claimed_to = text_of(reply[0])
        found = reply[1]
        if not found:
            block = max(1, round(block_seconds * 1000))
            streams = yield lambda client: client.xreadgroup(
                self._group, CONSUMER, {self._key: ">"}, count=BATCH, block=block
            )
            found = streams[0][1] if streams else []
        entries = read_entries(self._stream.service, [each for each in found if each[0] is not None])
        empty = [entry.id for entry in entries if not entry.outcomes]
        if empty:  # nobody can acknowledge it
            yield self.ack(*empty)
        return [entry for entry in entries if entry.outcomes]

    def ack(self, *entry_ids: str) -> Ask:
        """Return the step that acknowledges entries."""
        return lambda client: client.xack(self._key, self._group, *entry_ids)

    def renew(self, *entry_ids: str) -> Steps[None]:
        """Keep entries from being claimed for another `claim_seconds`. A group that is gone has nothing to keep."""
        try:
            yield lambda client: client.xclaim(self._key, self._group, CONSUMER, 0, list(entry_ids), justid=True)
        except ScriptError as error:
            if "NOGROUP" not in str(error):
                raise


def _position(entry_id: str) -> tuple[int, int]:
    ms, _, seq = entry_id.partition("-")
    return (int(ms), int(seq)) if ms.isdecimal() and seq.isdecimal() else (0, 0)
