"""The consistency check of a live Redis: each job is in exactly one place, keys agree with jobs, the counts add up.

It scans the keys in bounded steps. Each step is one script, so a busy system does not look broken.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

from lanes.checks.check_store import JOBS_STEP, STEP, CheckStore, Member
from lanes.checks.counted_jobs import CountedJobs
from lanes.checks.counts import check_lanes
from lanes.checks.finding import RUN_REPAIR, Finding, Repair, Severity, unreadable
from lanes.checks.services import check_services
from lanes.checks.values import SHAPES, check_job_values, misshapen, unreadable_fields
from lanes.errors import ScriptError
from lanes.queue.store import LaneStore
from lanes.storage.keys import ANY, KEYS
from lanes.storage.redis_errors import own_errors
from lanes.storage.stored import bytes_of, text_of

T = TypeVar("T")
# Findings about jobs that are where they should be.
IN_PLACE = frozenset({"job-lost", "content", "set-aside"})
# Keys that make a repeated enqueue or a replay harmless. They outlive the jobs.
REPEAT_GUARDS = ("idempotency", "event_times", "newest_delivered")
# Hashes from a record, or a name, to a member.
HASHES = frozenset({"active", "newest_delivered", "renewals", *SHAPES})
# Keys whose members `check_members` knows.
VALIDATED = frozenset(
    {
        "ready",
        "delayed",
        "active",
        "blocked",
        "newest_delivered",
        "rate_slots",
        "leases",
        "expiring",
        "dead",
        "renewals",
    }
)

# The repair of each kind of finding about a job.
JOBS = {
    "position": "put it into its place in its lane",
    "due": "make its lane due",
    "lease": "add or remove its lease",
    "slot": "add a rate slot for its request",
    "dead-letter": "list it among the dead letters, or not",
    "content": "set its state according to its body, or rename what is left to broken_key:...",
    "ttl": "set or remove its time to live",
    "ended": "store it as done, or as unfinished",
    "merged": "list it at its merge target",
    "expiring": "list when it expires",
    "order": "continue the numbers of its lane after it",
    "state": "set its state according to its places",
    "body": "make a dead letter of it, or rename it to broken_key:... if it cannot be read",
    "leftover": "remove what is left",
    "unreadable": "read location and record from its body, or rename it to broken_key:...",
}


def check_consistency(
    store: LaneStore, progress: Callable[[int], None] = lambda _: None, repeat_guards: Counter[str] | None = None
) -> Iterator[Finding]:
    """Check every key and yield findings.

    `progress` is called with the number of jobs checked so far. `repeat_guards` counts the keys of `REPEAT_GUARDS`.
    """
    with own_errors():
        scan = KeyScan(store, progress, Counter() if repeat_guards is None else repeat_guards)
        clean = True
        for finding in scan.findings():
            clean = clean and finding.repair is None and finding.code in IN_PLACE
            yield finding
        yield from check_lanes(CheckStore(store), sorted(scan.locations), clean=clean)
        yield from check_services(store, scan.services, scan.counted, clean=clean)


class KeyScan:
    """One pass over all keys."""

    def __init__(self, store: LaneStore, progress: Callable[[int], None], repeat_guards: Counter[str]) -> None:
        self._store = store
        self._checks = CheckStore(store)
        self._progress = progress
        self._repeat_guards = repeat_guards
        self._prefix = store.key("job", "").removesuffix("job:")
        self._seen = 0
        self._ids: list[str] = []
        self._members: list[Member] = []
        self.locations: set[str] = set()
        self.services: set[str] = set()
        self.counted = CountedJobs()

    def findings(self) -> Iterator[Finding]:
        """Yield findings about jobs and about members of other keys."""
        self.locations |= self._store.locations()
        cursor = 0
        while True:
            found = self._store.client.scan(cursor, match=f"{self._prefix}*", count=STEP)
            cursor, keys = cast("tuple[int, list[bytes]]", found)
            names = {text_of(key).removeprefix(self._prefix) for key in keys}
            right = self._of_their_types(names)
            yield from (self._of_other_type(name) for name in names - right)
            yield from self._sort_by_kind(right)
            yield from self._flush(STEP if cursor else 1)
            if not cursor:
                return

    def _of_other_type(self, name: str) -> Finding:
        arguments = (self._prefix + name, name, key_type(name))
        repair = Repair("repair_key", arguments, "rename it to broken_key:...")
        return Finding("type", Severity.ERROR, name, f"it is no {key_type(name)}", RUN_REPAIR, repair)

    def _of_job(self, job_id: str, kind: str, text: str) -> Finding:
        if kind != "unpacked":
            return of_job((job_id, kind, text))
        repair = Repair(
            "repair_key", (self._store.key("done", job_id), f"done:{job_id}", ""), "rename it to broken_key:..."
        )
        return Finding("content", Severity.ERROR, f"done:{job_id}", text, RUN_REPAIR, repair)

    def _of_their_types(self, names: Iterable[str]) -> set[str]:
        """Return the keys without those of the wrong Redis type."""
        known = [name for name in names if name.partition(":")[0] in KEYS]
        found = self._store.read_keys(
            b"", [self._prefix + name for name in known], lambda client, key: client.type(key)
        )
        types = dict(zip(known, map(text_of, found), strict=True))
        return {*names} - {name for name, kind in types.items() if key_type(name) not in (kind, ANY) and kind != "none"}

    def _sort_by_kind(self, names: Iterable[str]) -> Iterator[Finding]:
        """Collect jobs and members from some keys."""
        rests, readers = [], []
        for name in names:
            kind, _, rest = name.partition(":")
            self._repeat_guards[kind] += kind in REPEAT_GUARDS
            if kind in ("job", "done"):
                self._ids.append(rest)
            elif kind in ("body", "attempts", "merged_jobs", "original"):
                rests.append(rest)
            elif kind in ("lane", "service"):
                (self.locations if kind == "lane" else self.services).add(rest)
            elif kind in ("broken_key", "broken_values"):
                text = "a repair set it aside, because nothing could read it"
                yield Finding("set-aside", Severity.NOTE, name, text, "inspect it, then delete it")
            elif kind in ("consumer", "unservable", "token_lock"):
                self._members.append(Member(kind, rest, "", ""))
            elif kind in ("ready", "delayed", "active", "blocked", "newest_delivered", "rate_slots"):
                self.locations.add(rest.partition(":")[0])
                readers.append((name, kind, rest))
            elif name in ("leases", "expiring", "dead", "renewals"):
                readers.append((name, name, ""))
            elif kind in SHAPES:
                self.locations |= {rest} if kind in ("day", "dead_letter_counts") else set()
                readers.append((name, kind, rest))
        self._ids += self._without_job(rests)
        yield from self._read(readers)

    def _without_job(self, names: Sequence[str]) -> list[str]:
        ids = list(dict.fromkeys(names))
        keys = [self._store.key(kind, job_id) for kind in ("job", "done") for job_id in ids]
        found = self._store.read_keys(0, keys, lambda client, key: client.exists(key))
        return [
            job_id for job_id, *there in zip(ids, found[: len(ids)], found[len(ids) :], strict=True) if not any(there)
        ]

    def _read(self, readers: Sequence[tuple[str, str, str]]) -> Iterator[Finding]:
        """Read the members of these keys; the first page of each in one round trip."""
        pipeline = self._store.client.pipeline(transaction=False)
        for name, kind, _ in readers:
            page(pipeline, kind, bytes_of(self._prefix + name), 0)
        for (name, kind, rest), reply in zip(readers, pipeline.execute(), strict=True):
            at, values = next_page(kind, 0, reply)
            while True:
                yield from duplicates(kind, values)
                if kind in SHAPES:
                    yield from unreadable_fields(self._store, name, misshapen(kind, values))
                if kind in VALIDATED:
                    self._members += members(kind, rest, values)
                if not at:
                    break
                yield from self._flush(STEP)
                at, values = next_page(kind, at, page(self._store.client, kind, bytes_of(self._prefix + name), at))

    def _flush(self, min_count: int) -> Iterator[Finding]:
        """Check what was collected, once there is enough for a call."""
        while len(self._ids) >= min(min_count, JOBS_STEP):
            some, self._ids = self._ids[:JOBS_STEP], self._ids[JOBS_STEP:]
            yield from self._each(some, lambda ids: (self._of_job(*each) for each in self._checks.check_jobs(ids)))
            yield from check_job_values(self._store, some, self.counted)
            self._seen += len(some)
            self._progress(self._seen)
        while len(self._members) >= min_count:
            batch, self._members = self._members[:STEP], self._members[STEP:]
            yield from self._each(batch, lambda those: map(of_member, self._checks.check_members(those)))

    def _each(self, things: Sequence[T], inspect: Callable[[Sequence[T]], Iterable[Finding]]) -> Iterator[Finding]:
        """Check items; if the script fails, check each alone to find the one that it fails for."""
        try:
            yield from inspect(things)
        except ScriptError as error:
            if len(things) == 1:
                yield unreadable(":".join(things[0]) if isinstance(things[0], Member) else str(things[0]), error)
                return
            for thing in things:
                yield from self._each([thing], inspect)


def page(client: Any, kind: str, key: bytes, at: int) -> Any:
    """Read a page of a key from a cursor, or a position of a list."""
    if kind == "blocked":
        return client.lrange(key, at, at + STEP - 1)
    if kind in HASHES:
        return client.hscan(key, at, count=STEP)
    return client.zscan(key, at, count=STEP)


def next_page(kind: str, at: int, reply: Any) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Return where the next page begins (0: there is none), and pairs of record (if any) and member."""
    if kind == "blocked":
        return (at + STEP if len(reply) == STEP else 0), [(b"", member) for member in reply]
    cursor, values = reply
    return int(cursor), list(values.items()) if kind in HASHES else [(b"", member) for member, _ in values]


def duplicates(kind: str, values: Sequence[tuple[bytes, bytes]]) -> Iterator[Finding]:
    """Yield the jobs that are twice in the blocked list of their record, within a page."""
    if kind == "blocked":
        counted = Counter(text_of(member) for _, member in values)
        yield from (of_job((job_id, "position", "is blocked twice")) for job_id, times in counted.items() if times > 1)


def members(kind: str, rest: str, values: Iterable[tuple[bytes, bytes]]) -> list[Member]:
    """Return the members of a key for `check_members`."""
    location, _, listed = rest.partition(":")
    texts = ((text_of(record), text_of(member)) for record, member in values)
    return [Member(kind, location, record or listed, member) for record, member in texts]


def key_type(name: str) -> str:
    """Return the Redis type that a key should have, or `ANY`."""
    return KEYS[name.partition(":")[0]].kind


def of_job(finding: tuple[str, str, str]) -> Finding:
    """Return a finding about a job."""
    job_id, kind, text = finding
    if kind == "lost":
        advice = f"give it up: lanes cancel {job_id}, or lanes dead purge {job_id}"
        return Finding("job-lost", Severity.ERROR, job_id, text, advice)
    return Finding(f"job-{kind}", Severity.ERROR, job_id, text, RUN_REPAIR, Repair("repair_job", (job_id,), JOBS[kind]))


def of_member(member: Member) -> Finding:
    """Return a finding about a member that does not belong under its key."""
    key = member.name if not member.location else f"{member.name}:{member.location}"
    texts = {
        "active": f"record {member.record} waits for {member.member}, which is no unfinished job of it",
        "blocked": f"{member.member} is blocked in record {member.record}, but is no job of it, or nothing blocks it",
        "rate_slots": f"{member.member} has a rate slot that is not free for days",
        "newest_delivered": f"record {member.record} has no dead letter, but its newest delivered job is still noted",
        "consumer": "has no time to live, though its worker may be gone",
        "unservable": "has no time to live, though its worker may be gone",
        "token_lock": "has no time to live, though its worker may be gone",
        "renewals": f"a renewal of {member.record} is noted, but that token is not stored",
    }
    text = texts.get(member.name, f"{member.member} is listed, but the job does not exist here")
    return Finding("orphan", Severity.ERROR, key, text, RUN_REPAIR, Repair("repair_member", tuple(member), "remove it"))
