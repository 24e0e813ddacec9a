"""Every metric of ours: its name, its kind, its labels and what it means. Nothing else is exposed.

A counter never goes down. The jobs in a state do, when a letter is replayed, and are a gauge.
"""

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """What Prometheus calls it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric before it has a value. `name` is what it has in an expression, but for a histogram's suffixes."""

    name: str
    kind: MetricKind
    description: str
    labels: tuple[str, ...] = ()


OTHER = "other"  # the location that stands for all that are not named

_C, _G, _H = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM
_LOCATION = ("location",)

CELL_METRICS = (
    MetricSpec("lanes_jobs_accepted_total", _C, "jobs accepted"),
    MetricSpec("lanes_jobs_merged_total", _C, "jobs that were merged into another one"),
    MetricSpec("lanes_jobs_delivered_total", _C, "jobs delivered; those that were merged into them are not counted"),
    MetricSpec(
        "lanes_jobs_buried_total",
        _C,
        "jobs that became dead letters: refused, exhausted, unconfirmed or unauthorized",
        ("reason",),
    ),
    MetricSpec("lanes_jobs_expired_total", _C, "jobs whose time was over before they were sent"),
    MetricSpec("lanes_jobs_cancelled_total", _C, "jobs cancelled, or purged from the dead letters"),
    MetricSpec("lanes_attempts_retried_total", _C, "attempts that failed and are followed by another one"),
    MetricSpec("lanes_attempts_throttled_total", _C, "attempts that were answered with 429"),
    MetricSpec("lanes_attempts_reclaimed_total", _C, "attempts that were taken back from a silent worker"),
    MetricSpec(
        "lanes_delivery_seconds",
        _H,
        "from enqueue, or from when a job might be sent, to its delivery; the sum is an estimate",
    ),
    MetricSpec(
        "lanes_attempt_seconds", _H, "from release to report: an attempt with its request; the sum is an estimate"
    ),
    MetricSpec("lanes_jobs", _G, "jobs in this state now, as `lanes status` counts them", ("state",)),
    MetricSpec("lanes_jobs_due", _G, "jobs that could be sent at this moment, counted up to 1000"),
    MetricSpec(
        "lanes_oldest_seconds",
        _G,
        "age of the oldest job that could have been sent by now, in lanes held or on the brake, and in the others",
        ("held",),
    ),
    MetricSpec("lanes_locations", _G, "lanes: locations that ever had a job"),
    MetricSpec(
        "lanes_held",
        _G,
        "lanes held, by whom: authorization, outage, person; one that is held by two counts under both",
        ("by",),
    ),
    MetricSpec("lanes_held_all", _G, "1 while a person holds all lanes"),
    MetricSpec("lanes_failing", _G, "lanes in which every request fails by the API's fault; they send single probes"),
    MetricSpec("lanes_braked", _G, "lanes on the brake: refused in a row; they send single probes"),
    MetricSpec("lanes_braked_all", _G, "1 while all lanes are on the brake"),
    MetricSpec("lanes_outage", _G, "1 during an outage of the API"),
    MetricSpec("lanes_outage_seconds", _G, "for how long the outage has been on, 0 when there is none"),
    MetricSpec(
        "lanes_outage_half_open_limit",
        _G,
        "requests that may be out at a time in the outage; 0 when there is none",
    ),
    MetricSpec("lanes_outage_probes", _G, "probes that are out"),
    MetricSpec("lanes_busy", _G, "lanes that have work and may send: only their window keeps them from it"),
    MetricSpec("lanes_busy_window_used", _G, "requests of those lanes in their windows"),
    MetricSpec("lanes_busy_window_allowed", _G, "requests that those lanes may have in their windows"),
    MetricSpec("lanes_workers", _G, "workers that listen to the lanes"),
    MetricSpec("lanes_lane_pending", _G, "pending jobs", _LOCATION),
    MetricSpec("lanes_lane_in_flight", _G, "jobs in flight", _LOCATION),
    MetricSpec("lanes_lane_dead", _G, "dead letters", _LOCATION),
    MetricSpec(
        "lanes_lane_oldest_seconds",
        _G,
        "age of its oldest job that could have been sent by now; 0 when there is none",
        _LOCATION,
    ),
    MetricSpec("lanes_lane_window_used", _G, "requests that the API may still count in its window", _LOCATION),
    MetricSpec("lanes_lane_window_allowed", _G, "requests that a window allows", _LOCATION),
    MetricSpec("lanes_lane_day_used", _G, "requests of its day", _LOCATION),
    MetricSpec("lanes_lane_day_allowed", _G, "requests that a day allows", _LOCATION),
    MetricSpec("lanes_lane_held", _G, "1 while the lane is held; of the others, how many are", _LOCATION),
    MetricSpec("lanes_redis_up", _G, "1 when Redis answers"),
    MetricSpec("lanes_redis_memory_used_bytes", _G, "memory that Redis uses"),
    MetricSpec("lanes_redis_memory_max_bytes", _G, "memory that Redis may use, 0 for no bound"),
    MetricSpec("lanes_redis_memory_fragmentation_ratio", _G, "memory that the system gave Redis by what it uses"),
    MetricSpec("lanes_redis_aof_enabled", _G, "1 when Redis keeps an append-only file"),
    MetricSpec("lanes_redis_aof_last_write_ok", _G, "1 when its last write to that file was a success"),
    MetricSpec("lanes_redis_aof_rewrite_running", _G, "1 while it rewrites that file"),
    MetricSpec(
        "lanes_redis_slow_seconds",
        _G,
        "the last slow one by Redis' latency monitor; 0 when there was none in 5 minutes",
        ("event",),
    ),
    MetricSpec("lanes_redis_replicas", _G, "replicas that are connected"),
    MetricSpec(
        "lanes_build_info", _G, "1; the labels tell the versions of the package and of Redis", ("version", "redis")
    ),
    MetricSpec("lanes_scrape_success", _G, "1 when the last look at Redis gave all of this"),
    MetricSpec("lanes_scrape_seconds", _G, "how long that look took"),
    MetricSpec("lanes_scrape_age_seconds", _G, "how long ago that look ended"),
)

WORKER_METRICS = (
    MetricSpec(
        "lanes_worker_info",
        _G,
        "1; the labels tell the worker's name and the version of the package",
        ("worker", "version"),
    ),
    MetricSpec(
        "lanes_worker_slots", _G, "tasks that its pool runs at a time; one of them is kept for others than shifts"
    ),
    MetricSpec("lanes_worker_shifts", _G, "shifts that were started and have not ended"),
    MetricSpec("lanes_worker_shifts_started_total", _C, "shifts started"),
    MetricSpec("lanes_worker_events_waiting", _G, "events for Flower that its main process has not sent yet"),
    MetricSpec("lanes_worker_ready", _G, "1 when it can send the jobs of every location, as /ready says"),
    MetricSpec(
        "lanes_worker_undecryptable_credentials",
        _G,
        "stored credentials that it cannot decrypt; it takes no jobs of their locations",
    ),
)

OF_LOOPS = (
    MetricSpec(
        "lanes_loop_failures_total",
        _C,
        "unexpected errors of a background loop of this process; it was started again after each",
        ("loop",),
    ),
)

ALL = CELL_METRICS + WORKER_METRICS + OF_LOOPS
