"""The sizes of the benchmarks, and what they print while they run."""

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Limit:
    """What the sandbox takes of one location: so many requests in any window of so many seconds."""

    requests: int
    seconds: int

    @property
    def settings(self) -> dict[str, str]:
        """The same limits as settings of our workers."""
        return {"LANES_BURST_LIMIT": str(self.requests), "LANES_BURST_WINDOW_SECONDS": str(self.seconds)}

    @property
    def options(self) -> list[str]:
        """The same limits as options of the sandbox."""
        return ["--burst-limit", str(self.requests), "--burst-window", str(self.seconds)]

    def fastest(self, requests: int) -> float:
        """Return the seconds before which the last of so many requests of one location cannot arrive."""
        return (requests - 1) // self.requests * float(self.seconds)


HIGHLEVEL = Limit(requests=100, seconds=10)
SHORT = Limit(requests=20, seconds=1)
STORM = Limit(requests=100, seconds=2)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """One location with many jobs, ahead of small ones with few."""

    hot_jobs: int
    small_locations: int
    small_jobs: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """A backlog over many lanes, its `few` jobs to compare with, how many of its jobs are sampled, seconds watched."""

    jobs: int
    lanes: int
    few: int
    sample: int
    watched: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """Many locations, each with a few jobs."""

    locations: int
    jobs_each: int


@dataclass(frozen=True, slots=True)
class History:
    """Jobs that are delivered to measure what is kept of them, and how often their memory passes a small Redis."""

    jobs: int
    megabytes: int
    times: int


@dataclass(frozen=True, slots=True)
class Storm:
    """Records over some locations, each updated again and again."""

    records: int
    locations: int
    updates: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """Seconds until a started worker has nothing to do, seconds without a job, single jobs, jobs of a trickle.

    The single jobs are those of all runs together.
    """

    settle: float
    idle: float
    samples: int
    trickle: int


@dataclass(frozen=True, slots=True)
class DashboardSize:
    """What the dashboard's pages show, how often each is requested, and how many jobs run while a browser is open."""

    lanes: int
    dead_letters: int
    requests_per_page: int
    watched_jobs: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure with: a folder for what the parts write, how often, how many jobs, under which limit.

    `long_runs` is for the benchmarks of which one run takes a minute or more. `brief`: few sides, one worker.
    """

    folder: Path
    runs: int
    long_runs: int
    brief: bool
    limit: Limit
    storm_limit: Limit
    single: int
    bulk: int
    memory: int
    drain: int
    store: int
    hot: int
    shared: int
    fleet: Fleet
    history: History
    neighbours: Neighbours
    backlog: Backlog
    storm: Storm
    quiet: Quiet
    dashboard_size: DashboardSize

    @classmethod
    def full(cls, folder: Path, runs: int) -> "Plan":
        """Return the sizes at which figures mean something."""
        return cls(
            folder,
            runs=runs,
            long_runs=min(runs, 3),
            brief=False,
            limit=HIGHLEVEL,
            storm_limit=STORM,
            single=2_000,
            bulk=20_000,
            memory=20_000,
            drain=6_000,
            store=10_000,
            hot=600,  # begins its last window after 50 s, and that ends after 60 s
            shared=1_000,
            fleet=Fleet(locations=200, jobs_each=30),
            history=History(jobs=10_000, megabytes=12, times=3),
            neighbours=Neighbours(hot_jobs=400, small_locations=20, small_jobs=10),
            backlog=Backlog(jobs=1_000_000, lanes=10_000, few=1_000, sample=3_000, watched=20),
            storm=Storm(records=200, locations=4, updates=20),
            quiet=Quiet(settle=3, idle=10, samples=1_000, trickle=60),
            dashboard_size=DashboardSize(lanes=10_000, dead_letters=100_000, requests_per_page=20, watched_jobs=24_000),
        )

    @classmethod
    def quick(cls, folder: Path) -> "Plan":
        """Return sizes that only show that everything works, in one run."""
        return cls(
            folder,
            runs=1,
            long_runs=1,
            brief=True,
            limit=SHORT,
            storm_limit=SHORT,
            single=50,
            bulk=200,
            memory=200,
            drain=200,
            store=100,
            hot=45,
            shared=60,
            fleet=Fleet(locations=20, jobs_each=10),
            history=History(jobs=200, megabytes=0, times=0),
            neighbours=Neighbours(hot_jobs=45, small_locations=4, small_jobs=3),
            backlog=Backlog(jobs=4_000, lanes=100, few=100, sample=200, watched=3.2),
            storm=Storm(records=8, locations=2, updates=8),
            quiet=Quiet(settle=0.3, idle=0.5, samples=4, trickle=10),
            dashboard_size=DashboardSize(lanes=100, dead_letters=200, requests_per_page=2, watched_jobs=300),
        )


def progress(line: str) -> None:
    """Print progress on stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
