"""Checks whether the limits of Redis and of the workers' machines are large enough for the live workers."""

from collections.abc import Iterator, Mapping

from lanes.checks.finding import Finding, Severity
from lanes.checks.server import ServerInfo
from lanes.checks.worker_reports import WorkerReport

OTHER_CLIENTS = 100  # dashboard, commands, metrics; producers are what is left


def check_workers(found: ServerInfo, reports: Mapping[str, WorkerReport]) -> Iterator[Finding]:
    """Yield what is too small for the live workers."""
    maximum = int((found.info or {}).get("maxclients", 0))
    needed = sum(report.redis_connections for report in reports.values()) + OTHER_CLIENTS
    if maximum and maximum < needed:
        text = f"maxclients is {maximum}; the live workers and other clients may need {needed} connections"
        yield Finding("maxclients", Severity.WARNING, "redis", text, f"CONFIG SET maxclients {needed} or more")
    for name, report in reports.items():
        for shortage in report.shortages:
            advice = "raise the limit, or lower LANES_SHIFT_THREADS or --concurrency"
            yield Finding("worker-limit", Severity.WARNING, name, shortage, advice)
