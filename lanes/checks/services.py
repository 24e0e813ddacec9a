"""The part of the consistency check for services: their counters agree with the jobs that carry `counted`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from lanes.checks.check_store import STEP
from lanes.checks.counted_jobs import COUNTED_FIELDS, CountedJobs
from lanes.checks.finding import RUN_REPAIR, Finding, Repair, Severity
from lanes.checks.values import not_numbers, unreadable_fields
from lanes.queue.store import LaneStore
from lanes.storage.stored import StoredHash, text_of

SERVICE_NUMBERS = ("added_at", "max_pending", "max_dead", "rate", "pending", "dead", "moves", "refused", "next_at")

Fields = Mapping[bytes, bytes]


def check_services(store: LaneStore, names: Iterable[str], counted: CountedJobs, *, clean: bool) -> Iterator[Finding]:
    """Yield what is wrong with services: those listed, those with these `names`, and those of the counted jobs.

    Counters are compared with the jobs only if no job is misplaced (`clean`). One that differs may have changed during
    the check, so its jobs are counted again.
    """
    listed = _listed(store)
    jobs, differing = counted.by_service(), list[str]()
    for name in sorted({*names, *listed, *counted.services()}):
        fields = store.read_hash("service", name)
        yield from unreadable_fields(store, f"service:{name}", not_numbers(fields, SERVICE_NUMBERS))
        if _wrong(name, fields, jobs if clean else None, listed):
            differing.append(name)
    if differing:
        yield from recount_services(store, differing, clean=clean)


def recount_services(store: LaneStore, names: Iterable[str], *, clean: bool = True) -> Iterator[Finding]:
    """Count the jobs of these services; yield a finding for each that is wrong, a note if one changed meanwhile."""
    before = {name: store.read_hash("service", name) for name in names}
    jobs = count_jobs(store).by_service() if clean else None
    listed, moved = _listed(store), 0
    for name, fields in before.items():
        if jobs is not None and fields.get(b"moves") != store.read_hash("service", name).get(b"moves"):
            moved += 1
        elif text := _wrong(name, fields, jobs, listed):
            arguments = (name, fields.get(b"moves", b""), *_right(name, fields, jobs))
            repair = Repair("repair_service", arguments, "list it, and count its jobs again")
            yield Finding("service", Severity.ERROR, f"service:{name}", text, RUN_REPAIR, repair)
    if moved:
        text = f"jobs of {moved} services moved during the check, so their counters were not compared with the jobs"
        yield Finding("services-moved", Severity.NOTE, "services", text, "check again when there is less traffic")


def count_jobs(store: LaneStore) -> CountedJobs:
    """Count the jobs of all services, in one pass over all unfinished jobs."""
    found, missing, start = CountedJobs(), list[bytes | None](), len(store.key("job", ""))
    keys: list[str] = []

    def note() -> None:
        for key, values in zip(
            keys, store.read_keys(missing, keys, lambda client, key: client.hmget(key, COUNTED_FIELDS)), strict=True
        ):
            if values:
                found.note(key[start:], *values)
        keys.clear()

    for key in store.client.scan_iter(f"{store.key('job', '*')}", count=STEP):
        keys.append(text_of(key))
        if len(keys) == STEP:
            note()
    note()
    return found


def _listed(store: LaneStore) -> set[str]:
    names = store.read_key(set[bytes](), store.key("services"), lambda client, key: client.smembers(key))
    return set(map(text_of, names))


def _right(name: str, fields: Fields, jobs: Counter[tuple[str, str]] | None) -> tuple[int, int]:
    said = StoredHash(fields)
    pending, dead = (said.count(each) if jobs is None else jobs[name, each] for each in ("pending", "dead"))
    return pending, dead


def _wrong(name: str, fields: Fields, jobs: Counter[tuple[str, str]] | None, listed: set[str]) -> str:
    """Return what is wrong with a service, or ''."""
    said, (pending, dead) = StoredHash(fields), _right(name, fields, jobs)
    wrong = [
        f"{each} is {said.count(each)}, should be {right}"
        for each, right in (("pending", pending), ("dead", dead))
        if said.count(each) != right
    ]
    if ("added_at" in said) != (name in listed):
        wrong.append("it is not listed" if "added_at" in said else "it is listed, but nothing says when it was added")
    elif fields and "added_at" not in said and not pending and not dead:
        wrong.append("it was removed, and counts no job any more")
    return ", ".join(wrong)
