"""The part of the check for history: what done jobs take, and whether memory suffices to keep them as long as asked."""

from collections.abc import Iterator

from lanes.checks.finding import Finding, Severity
from lanes.queue.store import LaneStore
from lanes.times import format_time

HOUR = 3600
MEGABYTE = 2**20


def check_history(
    store: LaneStore, hourly: int, max_memory: float | None, share: float, retention: float
) -> Iterator[Finding]:
    """Yield what done jobs take, and a warning if memory does not suffice for `retention` seconds at the present rate.

    `hourly` is the number of deliveries in the last hour; `share` is the part of `max_memory` (None: there
    is no limit) that they may take.
    """
    history = store.read_history()
    if not history.jobs:
        return
    since = f" since {format_time(history.oldest)}" if history.oldest else ""
    text = f"{history.jobs} done jobs{since} take about {history.size / MEGABYTE:.1f} MB"
    if history.forgotten:
        text += f"; {history.forgotten} were forgotten before their time"
    yield Finding("history", Severity.NOTE, "memory", text, "LANES_HISTORY_SHARE limits what they may take")
    each = history.size / history.jobs
    needed, allowed = each * hourly * retention / HOUR, (max_memory or 0) * share
    if max_memory and needed > allowed:
        text = (
            f"at {hourly} deliveries an hour, history of {retention / HOUR:g} h takes {needed / MEGABYTE:.0f} MB, and "
            f"may take {allowed / MEGABYTE:.0f} MB: jobs are forgotten after {allowed / each / hourly:.1f} h"
        )
        advice = "raise maxmemory or LANES_HISTORY_SHARE, or set LANES_RETENTION_SECONDS to what you need"
        yield Finding("retention", Severity.WARNING, "memory", text, advice)
