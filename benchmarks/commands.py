"""Every command line that is measured, as `python -m ...`; change them here."""

from lanes.settings import WorkerSettings

Command = tuple[str, ...]

PROCESSES = 2  # that send, on two cores: as many as our worker has by itself
THREADS: int = WorkerSettings.model_fields["shift_threads"].default  # of each process
SLOTS = PROCESSES * THREADS  # requests at a time, the same for every side
# With an API that answers at once, more threads only cost: this is enough for the others to be as fast as they can.
INSTANT_THREADS = 32
INSTANT_SLOTS = PROCESSES * INSTANT_THREADS

LANES: Command = ("celery", "-A", "worker", "worker")

CELERY_THREADS: Command = (
    *("celery", "-A", "benchmarks.bare_celery", "worker"),
    *("--pool", "threads", "--concurrency", str(INSTANT_SLOTS)),
)
CELERY_PROCESSES: Command = (
    *("celery", "-A", "benchmarks.bare_celery", "worker"),
    *("--pool", "prefork", "--concurrency", str(PROCESSES)),
)
CELERY_BACKOFF: Command = (
    *("celery", "-A", "benchmarks.backoff_celery", "worker"),
    *("--pool", "threads", "--concurrency", str(SLOTS)),
)
CELERY_LIMITER: Command = (
    *("celery", "-A", "benchmarks.limited_celery", "worker"),
    *("--pool", "threads", "--concurrency", str(SLOTS)),
)

CELERY_FLEET: Command = (
    *("celery", "-A", "benchmarks.bare_celery", "worker"),
    *("--pool", "threads", "--concurrency", str(SLOTS)),
)
DRAMATIQ_FLEET: Command = (
    *("dramatiq", "benchmarks.bare_dramatiq:broker"),
    *("--processes", str(PROCESSES), "--threads", str(THREADS)),
)

# By default as many processes as the machine has cores, with 8 threads each.
DRAMATIQ_DEFAULT: Command = ("dramatiq", "benchmarks.bare_dramatiq:broker")
DRAMATIQ_SLOTS: Command = (
    *("dramatiq", "benchmarks.bare_dramatiq:broker"),
    *("--processes", str(PROCESSES), "--threads", str(INSTANT_THREADS)),
)
DRAMATIQ_LIMITER: Command = (
    *("dramatiq", "benchmarks.limited_dramatiq:broker"),
    *("--processes", str(PROCESSES), "--threads", str(THREADS)),
)


def trusting(command: Command) -> Command:
    """Return the command line of a worker that trusts the certificate in its environment alone."""
    return ("benchmarks.trusting", *command)


def as_node(command: Command, name: str) -> Command:
    """Return the command line of a Celery worker with a name of its own, and the line that says that it is ready."""
    return (*command, "--hostname", f"{name}@%h", "--loglevel", "info")
