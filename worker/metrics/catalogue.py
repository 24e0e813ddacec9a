"""Every metric: name, kind, labels, meaning. No other metric of ours is exposed.

A counter never goes down. The number of jobs in a state does, after a replay for example, so it is a gauge.
"""

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """The kinds of Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric without a value. `name` is as in expressions, without a histogram's suffixes."""

    name: str
    kind: MetricKind
    description: str
    labels: tuple[str, ...] = ()


def _counter(name: str, description: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, MetricKind.COUNTER, description, labels)


def _gauge(name: str, description: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, MetricKind.GAUGE, description, labels)


def _histogram(name: str, description: str) -> MetricSpec:
    return MetricSpec(name, MetricKind.HISTOGRAM, description)


NO_SERVICE = "none"  # the `service` label of rows without a service
OTHER = "other"  # the `location` label of the sum of all lanes without series of their own

CELL_METRICS = (
    _counter("lanes_jobs_accepted_total", "jobs accepted"),
    _counter("lanes_jobs_merged_total", "jobs merged into another job"),
    _counter("lanes_jobs_delivered_total", "jobs delivered, without the jobs merged into them"),
    _counter("lanes_jobs_buried_total", "jobs that became dead letters", "reason"),
    _counter("lanes_jobs_expired_total", "jobs that expired before they were sent"),
    _counter("lanes_jobs_cancelled_total", "jobs cancelled, or purged from the dead letters"),
    _counter("lanes_task_rows_refused_total", "rows that tasks producers.enqueue refused", "service"),
    _counter("lanes_attempts_retried_total", "attempts that failed and are followed by another attempt"),
    _counter("lanes_attempts_throttled_total", "attempts answered with 429"),
    _counter("lanes_attempts_reclaimed_total", "attempts taken back from a worker that does not answer"),
    _histogram("lanes_delivery_seconds", "from enqueue, or the not-before time, to delivery; the sum is an estimate"),
    _histogram("lanes_attempt_seconds", "from release to report, with the request; the sum is an estimate"),
    _gauge("lanes_jobs", "jobs in this state now, as in `lanes status`", "state"),
    _gauge("lanes_history_jobs", "delivered and cancelled jobs that can be read"),
    _gauge("lanes_history_bytes", "memory that they and the jobs merged into them take, estimated"),
    _gauge("lanes_history_oldest_seconds", "time since the end of the oldest of them, 0 without one"),
    _counter("lanes_history_forgotten_total", "done jobs forgotten before their time, because memory was short"),
    _gauge("lanes_outcomes", "outcomes that are kept for this service", "service"),
    _gauge(
        "lanes_outcomes_behind_seconds", "age of the oldest outcome that this group has not read", "service", "group"
    ),
    _counter("lanes_outcomes_unread_total", "outcomes removed before a group had read them", "service"),
    _counter("lanes_outcomes_forgotten_total", "outcomes removed before their time, because memory was short"),
    _counter("lanes_outcomes_lost_total", "outcomes that could not be written, because a key is broken"),
    _gauge("lanes_jobs_due", "jobs that could be sent now, counted up to 1000"),
    _gauge("lanes_oldest_seconds", "age of the oldest due job: `yes` in lanes held or on the brake, else `no`", "held"),
    _gauge("lanes_locations", "lanes; an idle one ends after a day"),
    _gauge("lanes_held", "lanes held by authorization, outage or person; a lane with two holds counts twice", "by"),
    _gauge("lanes_held_all", "1 while a person holds all lanes"),
    _gauge("lanes_failing", "lanes in which the API fails every request; they send single probes"),
    _gauge("lanes_braked", "lanes on the brake after refusals in a row; they send single probes"),
    _gauge("lanes_braked_all", "1 while all lanes are on the brake"),
    _gauge("lanes_outage", "1 during an outage of the API"),
    _gauge("lanes_outage_seconds", "duration of the current outage, 0 without one"),
    _gauge("lanes_outage_half_open_limit", "requests that may be open at once during the outage, 0 without one"),
    _gauge("lanes_outage_probes", "open probes"),
    _gauge("lanes_busy", "lanes that have work and are limited by their rate window only"),
    _gauge("lanes_busy_window_used", "requests of those lanes in their rate windows"),
    _gauge("lanes_busy_window_allowed", "requests that the rate windows of those lanes allow"),
    _gauge("lanes_workers", "workers that listen to the lanes"),
    _gauge("lanes_lane_pending", "pending jobs", "location"),
    _gauge("lanes_lane_in_flight", "jobs in flight", "location"),
    _gauge("lanes_lane_dead", "dead letters", "location"),
    _gauge("lanes_lane_oldest_seconds", "age of the oldest due job, 0 without one", "location"),
    _gauge("lanes_lane_window_used", "requests that the API may still count in its rate window", "location"),
    _gauge("lanes_lane_window_allowed", "requests that a rate window allows", "location"),
    _gauge("lanes_lane_day_used", "requests of the current day", "location"),
    _gauge("lanes_lane_day_allowed", "requests that a day allows", "location"),
    _gauge("lanes_lane_held", "1 while the lane is held; for `other`, the number of held lanes", "location"),
    _gauge("lanes_service_jobs", "jobs of the service that its quotas count", "service", "state"),
    _gauge("lanes_service_quota", "`max_pending`, `max_dead` or `rate` of the service", "service", "quota"),
    _counter("lanes_service_rows_refused_total", "rows that were refused for a quota of the service", "service"),
    _gauge("lanes_redis_up", "1 when Redis answers"),
    _gauge("lanes_redis_memory_used_bytes", "memory that Redis uses"),
    _gauge("lanes_redis_memory_max_bytes", "memory that Redis may use, 0 for no limit"),
    _gauge("lanes_redis_memory_fragmentation_ratio", "memory allocated to Redis by the system, divided by memory used"),
    _gauge("lanes_redis_aof_enabled", "1 when Redis keeps an append-only file"),
    _gauge("lanes_redis_aof_last_write_ok", "1 when the last write to the append-only file succeeded"),
    _gauge("lanes_redis_aof_rewrite_running", "1 while Redis rewrites the append-only file"),
    _gauge("lanes_redis_slow_seconds", "last latency spike in Redis' latency monitor, 0 after 5 minutes", "event"),
    _gauge("lanes_redis_replicas", "connected replicas"),
    _gauge("lanes_build_info", "1, with the versions of the package and of Redis as labels", "version", "redis"),
    _gauge("lanes_scrape_success", "1 when the last snapshot of Redis is complete"),
    _gauge("lanes_scrape_seconds", "duration of the last snapshot"),
    _gauge("lanes_scrape_age_seconds", "age of the last snapshot"),
)

WORKER_METRICS = (
    _gauge("lanes_worker_info", "1, with the worker's name and package version as labels", "worker", "version"),
    _gauge("lanes_worker_slots", "tasks that its pool runs at a time; one slot is kept for tasks other than shifts"),
    _gauge("lanes_worker_shifts", "shifts started and not ended"),
    _counter("lanes_worker_shifts_started_total", "shifts started"),
    _gauge("lanes_worker_senders", "sender threads; these five metrics are measured every five seconds"),
    _gauge("lanes_worker_senders_busy", "sender threads that have a job"),
    _gauge("lanes_worker_senders_max", "maximum number of sender threads of the processes that send at a time"),
    _gauge("lanes_worker_cpu_cores", "cores that the pool processes use"),
    _gauge("lanes_worker_bound", "1 for what bounds this worker: `cpu`, `senders`, or `nothing` of its own", "by"),
    _gauge("lanes_worker_events_waiting", "events for Flower that the main process has not sent yet"),
    _gauge("lanes_worker_ready", "1 when it can send the jobs of every location, as at /ready"),
    _gauge(
        "lanes_worker_undecryptable_credentials",
        "stored credentials that it cannot decrypt; it takes no jobs of their locations",
    ),
)

OF_LOOPS = (
    _counter("lanes_loop_failures_total", "unexpected errors of a background loop, each followed by a restart", "loop"),
)

# `producers.gateway.metrics` exposes them.
GATEWAY_METRICS = (
    _counter("lanes_gateway_requests_total", "requests answered", "call", "status"),
    MetricSpec(
        "lanes_gateway_request_seconds",
        MetricKind.HISTOGRAM,
        "duration of requests, with the time that they wait",
        ("call",),
    ),
    _counter("lanes_gateway_rows_total", "rows of requests: accepted, duplicate or refused", "service", "result"),
)

ALL = CELL_METRICS + WORKER_METRICS + OF_LOOPS
