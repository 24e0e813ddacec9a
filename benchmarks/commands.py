"""Every command line that is measured, as `python -m ...`; change them here."""

Command = tuple[str, ...]

PROCESSES = 2  # that send, on two cores: as many as our worker has by itself
SLOTS = 64  # requests at a time, the same for every side: as many as our worker has by itself on two cores

LANES: Command = ("celery", "-A", "worker", "worker")

CELERY_THREADS: Command = (
    *("celery", "-A", "benchmarks.bare_celery", "worker"),
    *("--pool", "threads", "--concurrency", str(SLOTS)),
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

# By default as many processes as the machine has cores, with 8 threads each.
DRAMATIQ_DEFAULT: Command = ("dramatiq", "benchmarks.bare_dramatiq:broker")
DRAMATIQ_SLOTS: Command = (
    *("dramatiq", "benchmarks.bare_dramatiq:broker"),
    *("--processes", str(PROCESSES), "--threads", str(SLOTS // 2)),
)
DRAMATIQ_LIMITER: Command = (
    *("dramatiq", "benchmarks.limited_dramatiq:broker"),
    *("--processes", str(PROCESSES), "--threads", str(SLOTS // 2)),
)


def as_node(command: Command, name: str) -> Command:
    """Return the command line of a Celery worker with a name of its own, and the line that says that it is ready."""
    return (*command, "--hostname", f"{name}@%h", "--loglevel", "info")
