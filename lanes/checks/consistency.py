"""The audit of a live Redis: is each job in exactly one place, do keys agree with jobs, do the counts add up?

In bounded steps: it walks over the keys with SCAN, and each script looks at a bounded number of things. What a step
finds, it finds at one moment; so a busy system does not look broken.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

from lanes.checks.check_store import JOBS_STEP, STEP, CheckStore, Member
from lanes.checks.counts import check_lanes
from lanes.checks.finding import Finding, Repair, Severity
from lanes.errors import ScriptError
from lanes.queue.store import LaneStore
from lanes.storage.keys import KEYS
from lanes.storage.redis_errors import own_errors

T = TypeVar("T")
RUN_REPAIR = "lanes check --repair shows how it would be mended"

# Kinds of keys whose members have a record, or a name, before them.
HASHES = ("active", "newest_delivered", "renewals")

# What a kind of finding about a job means to whoever mends it.
JOBS = {
    "position": "put it into its place in its lane",
    "due": "make its lane due",
    "lease": "give it a lease, or take one away",
    "slot": "give its request a slot of the window",
    "dead-letter": "list it among the dead letters, or not",
    "content": "set its state to what its body proves",
    "ttl": "keep it until it is done, and no longer",
    "merged": "let its carrier know of it",
    "expiring": "note when it expires",
    "order": "let its lane count on from it",
    "state": "set its state to what its places prove",
    "body": "make a dead letter of it",
    "leftover": "remove what is left",
    "unreadable": "read location and record from its body",
}


def check_consistency(store: LaneStore, progress: Callable[[int], None] = lambda _: None) -> Iterator[Finding]:
    """Go through every key and yield what is wrong; nothing on a sound Redis. `progress` hears how many jobs were seen."""
    with own_errors():
        walk = KeyScan(store, progress)
        clean = True
        for finding in walk.findings():
            clean = False
            yield finding
        yield from check_lanes(CheckStore(store), sorted(walk.locations), clean=clean)


class KeyScan:
    """One pass over all keys."""

    def __init__(self, store: LaneStore, progress: Callable[[int], None]) -> None:
        self._store = store
        self._audit = CheckStore(store)
        self._progress = progress
        self._prefix = store.key("job", "").removesuffix("job:")
        self._seen = 0
        self._ids: list[str] = []
        self._members: list[Member] = []
        self.locations: set[str] = set()

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with jobs, and with what stands under other keys."""
        self.locations |= {
            name.decode()
            for name in cast("Iterator[bytes]", self._store.client.sscan_iter(self._store.key("locations"), count=STEP))
        }
        cursor = 0
        while True:
            found = self._store.client.scan(cursor, match=f"{self._prefix}*", count=STEP)
            cursor, keys = cast("tuple[int, list[bytes]]", found)
            names = {key.decode("utf-8", "replace").removeprefix(self._prefix) for key in keys}
            right = self._of_their_types(names)
            yield from map(of_wrong_type, names - right)
            yield from self._sort_by_kind(right)
            yield from self._flush(STEP if cursor else 1)
            if not cursor:
                return

    def _of_their_types(self, names: Iterable[str]) -> set[str]:
        """Return those that have the type that keys of their kind have, or are no keys of the lanes."""
        known = [name for name in names if name.partition(":")[0] in KEYS]
        pipeline = self._store.client.pipeline(transaction=False)
        for name in known:
            pipeline.type(self._prefix + name)
        types = {name: kind.decode() for name, kind in zip(known, pipeline.execute(), strict=True)}
        wrong = {name for name, kind in types.items() if kind not in ("none", KEYS[name.partition(":")[0]].kind)}
        return {*names} - wrong

    def _sort_by_kind(self, names: Iterable[str]) -> Iterator[Finding]:
        """Sort what stands under some keys by what can be wrong with it."""
        rests, readers = [], []
        for name in names:
            kind, _, rest = name.partition(":")
            if kind == "job":
                self._ids.append(rest)
            elif kind in ("body", "attempts", "merged_jobs", "original"):
                rests.append(rest)
            elif kind == "lane":
                self.locations.add(rest)
            elif kind in ("consumer", "unservable", "token_lock"):
                self._members.append(Member(kind, rest, "", ""))
            elif kind in ("ready", "delayed", "active", "blocked", "newest_delivered", "rate_slots"):
                self.locations.add(rest.partition(":")[0])
                readers.append((name, kind, rest))
            elif name in ("leases", "expiring", "dead", "renewals"):
                readers.append((name, name, ""))
        self._ids += self._without_job(rests)
        yield from self._read(readers)

    def _without_job(self, names: Sequence[str]) -> list[str]:
        ids = list(dict.fromkeys(names))
        pipeline = self._store.client.pipeline(transaction=False)
        for job_id in ids:
            pipeline.exists(self._store.key("job", job_id))
        return [job_id for job_id, there in zip(ids, pipeline.execute(), strict=True) if not there]

    def _read(self, readers: Sequence[tuple[str, str, str]]) -> Iterator[Finding]:
        """Read all that stands under these keys; the first page of each in one round trip."""
        pipeline = self._store.client.pipeline(transaction=False)
        for name, kind, _ in readers:
            page(pipeline, kind, self._prefix + name, 0)
        for (name, kind, rest), reply in zip(readers, pipeline.execute(), strict=True):
            at, values = next_page(kind, 0, reply)
            yield from duplicates(kind, values)
            self._members += members(kind, rest, values)
            while at:
                at, values = next_page(kind, at, page(self._store.client, kind, self._prefix + name, at))
                yield from duplicates(kind, values)
                self._members += members(kind, rest, values)
                yield from self._flush(STEP)

    def _flush(self, min_count: int) -> Iterator[Finding]:
        """Let the scripts look at what was gathered, once it is so much."""
        while len(self._ids) >= min(min_count, JOBS_STEP):
            some, self._ids = self._ids[:JOBS_STEP], self._ids[JOBS_STEP:]
            yield from self._each(some, lambda ids: map(of_job, self._audit.check_jobs(ids)))
            self._seen += len(some)
            self._progress(self._seen)
        while len(self._members) >= min_count:
            batch, self._members = self._members[:STEP], self._members[STEP:]
            yield from self._each(batch, lambda those: map(of_member, self._audit.check_members(those)))

    def _each(self, things: Sequence[T], inspect: Callable[[Sequence[T]], Iterable[Finding]]) -> Iterator[Finding]:
        """Look at things; where a script fails at some, at each alone, so that it is known at which."""
        try:
            yield from inspect(things)
        except ScriptError as error:
            if len(things) == 1:
                yield unreadable(":".join(things[0]) if isinstance(things[0], Member) else str(things[0]), error)
                return
            for thing in things:
                yield from self._each([thing], inspect)


def page(client: Any, kind: str, key: str, at: int) -> Any:
    """Ask for what stands under a key from a cursor (or, in a list, a position) on."""
    if kind == "blocked":
        return client.lrange(key, at, at + STEP - 1)
    if kind in HASHES:
        return client.hscan(key, at, count=STEP)
    return client.zscan(key, at, count=STEP)


def next_page(kind: str, at: int, reply: Any) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Return where the next page begins (0: there is none), and pairs of a record, where there is any, and a member."""
    if kind == "blocked":
        return (at + STEP if len(reply) == STEP else 0), [(b"", member) for member in reply]
    cursor, values = reply
    return int(cursor), list(values.items()) if kind in HASHES else [(b"", member) for member, _ in values]


def duplicates(kind: str, values: Sequence[tuple[bytes, bytes]]) -> Iterator[Finding]:
    """Yield the jobs that stand behind their record more than once, as far as one page shows it."""
    if kind == "blocked":
        counted = Counter(member.decode("utf-8", "replace") for _, member in values)
        yield from (
            of_job((job_id, "position", "stands behind twice")) for job_id, times in counted.items() if times > 1
        )


def members(kind: str, rest: str, values: Iterable[tuple[bytes, bytes]]) -> list[Member]:
    """Return what stands under a key as `check_members` takes it."""
    location, _, listed = rest.partition(":")
    texts = ((record.decode("utf-8", "replace"), member.decode("utf-8", "replace")) for record, member in values)
    return [Member(kind, location, record or listed, member) for record, member in texts]


def unreadable(where: str, error: ScriptError) -> Finding:
    """Return a finding about what cannot be looked at."""
    return Finding("unreadable", Severity.ERROR, where, str(error), "look at its keys by hand")


def of_wrong_type(name: str) -> Finding:
    """Return a finding about a key that is of another type than it should be."""
    text = f"it is no {KEYS[name.partition(':')[0]].kind}"
    return Finding("type", Severity.ERROR, name, text, "rename it to something outside of the lanes, and check again")


def of_job(finding: tuple[str, str, str]) -> Finding:
    """Return a finding about a job."""
    job_id, kind, text = finding
    return Finding(f"job-{kind}", Severity.ERROR, job_id, text, RUN_REPAIR, Repair("repair_job", (job_id,), JOBS[kind]))


def of_member(member: Member) -> Finding:
    """Return a finding about something that stands where it does not belong."""
    key = member.name if not member.location else f"{member.name}:{member.location}"
    texts = {
        "active": f"record {member.record} waits for {member.member}, which is no job of it",
        "blocked": f"{member.member} stands behind record {member.record}, and is no job of it, or behind nobody",
        "rate_slots": f"{member.member} has a slot that does not become free for days",
        "newest_delivered": f"record {member.record} has no dead letter, and what was delivered of it is still noted",
        "consumer": "is kept for ever, though its worker may be gone",
        "unservable": "is kept for ever, though its worker may be gone",
        "token_lock": "is kept for ever, though whoever renews may be gone",
        "renewals": f"a renewal of {member.record} is noted, of a token that is not stored (any more)",
    }
    text = texts.get(member.name, f"{member.member} is listed, but there is no such job here")
    return Finding(
        "orphan", Severity.ERROR, key, text, RUN_REPAIR, Repair("repair_member", tuple(member), "take it away")
    )
