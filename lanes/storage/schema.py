"""The version of the layout of keys, and what makes an older one the present one.

The first worker of a newer version migrates before it takes work, in bounded steps each of which may be done again: one
that is killed in the middle begins anew, and two at once do no harm. docs/upgrades.md has the rules.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from lanes.queue.store import LaneStore
from lanes.storage.keys import SCHEMA

STEP = 100
# The first layout had no version.
FIRST = 1


class SchemaStore:
    """The layout of a store. Errors as those of `LaneStore`."""

    def __init__(self, lanes: LaneStore) -> None:
        self._lanes = lanes

    def version(self) -> int | None:
        """Return the version of the layout, None where there is nothing yet."""
        found = self._lanes.read(lambda client: client.get(self._lanes.key("schema")))
        if found is not None:
            return int(found)
        return FIRST if self._lanes.read(lambda client: client.exists(self._lanes.key("counts"))) else None

    def note(self, version: int) -> None:
        """From now on, the layout is this one."""
        self._lanes.read(lambda client: client.set(self._lanes.key("schema"), version))

    def migrate_jobs_2(self, job_ids: Iterable[str]) -> int:
        """Bring jobs to the second layout; return how many were not there yet."""
        return int(self._lanes.run("migrate_jobs_2", *job_ids))

    def migrate_lanes_2(self, locations: Iterable[str]) -> int:
        """Bring lanes to the second layout; return how many were not there yet."""
        return int(self._lanes.run("migrate_lanes_2", *locations))

    def job_ids(self) -> Iterator[str]:
        """Yield the ids of all jobs, some perhaps twice."""
        prefix = self._lanes.key("job", "")
        for key in self._lanes.client.scan_iter(match=f"{prefix}*", count=STEP):
            yield key.decode().removeprefix(prefix)

    def locations(self) -> Iterator[str]:
        """Yield all locations, some perhaps twice."""
        prefix = self._lanes.key("lane", "")
        for key in self._lanes.client.scan_iter(match=f"{prefix}*", count=STEP):
            yield key.decode().removeprefix(prefix)


def batched(names: Iterable[str]) -> Iterator[list[str]]:
    """Yield the names, so many at a time as a script takes."""
    rest = iter(names)
    while some := list(islice(rest, STEP)):
        yield some


def to_2(store: SchemaStore) -> int:
    """Letters by record, expired jobs among them, requests counted since the beginning, held time."""
    changed = sum(store.migrate_lanes_2(some) for some in batched(store.locations()))
    return changed + sum(store.migrate_jobs_2(some) for some in batched(store.job_ids()))


# The version of a layout -> what makes it of the one before. Returns how much it changed; nothing when done again.
MIGRATIONS: Mapping[int, Callable[[SchemaStore], int]] = {2: to_2}


def prepare(store: LaneStore, progress: Callable[[int, int], object] = lambda *_: None) -> None:
    """Bring the data to the present layout. `progress` hears of each migration: its version, and how much it changed."""
    schema = SchemaStore(store)
    found = schema.version()
    if found is None:
        schema.note(int(SCHEMA))
        return
    for version in range(found + 1, int(SCHEMA) + 1):
        changed = MIGRATIONS[version](schema)
        schema.note(version)
        progress(version, changed)
