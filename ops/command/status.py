"""`lanes status`: total counts, the state of each lane, and the services."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from lanes.printable import printable
from lanes.queue.global_state import GlobalState
from lanes.queue.lane import Lane, WaitReason
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import RateLimitSettings
from lanes.times import format_time
from ops.command.console import MAX_SHOWN, NO_LANE, LocationId, examples, pluralize, print_json, say
from ops.command.failures import Refused
from ops.command.service_table import print_services
from ops.command.session import Session, connected
from ops.command.table import Column, print_table

COUNTS = ("pending", "in_flight", "delivered", "dead", "retried", "throttled")
COLUMNS = (
    Column("location"),
    Column("pending", right=True),
    Column("in flight", right=True),
    Column("delivered", right=True),
    Column("dead", right=True, alarm="red"),
    Column("retried", right=True),
    Column("throttled", right=True, alarm="yellow"),
    Column("window", right=True),
    Column("day", right=True),
    Column("limits by"),
    Column("due in", right=True),
    Column("brake", alarm="yellow"),
    Column("hold", alarm="yellow"),
)


# What stops all lanes.
STOPS = {WaitReason.ALL_HELD: "hold of all", WaitReason.OUTAGE: "outage", WaitReason.ALL_BRAKED: "brake of all"}


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """One reading of Redis: the counts, what stops all lanes, the lanes to show, how many more there are, services."""

    counts: dict[str, int]
    global_state: GlobalState
    lanes: tuple[Lane, ...]
    more: int
    unknown: tuple[str, ...]
    services: Sequence[Service]


@click.command(epilog=examples("lanes status", "lanes status --top 20 --watch", "lanes status --json | jq .pending"))
@click.argument("location_ids", metavar="[LOCATION]...", nargs=-1, type=LocationId())
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--watch", is_flag=True, help="Refresh until Ctrl-C.")
@click.option(
    "--interval", type=click.FloatRange(0.1), default=1.0, show_default=True, help="Refresh interval in seconds."
)
@click.option(
    "--top", type=click.IntRange(1, MAX_SHOWN), metavar="N", help="Only the N lanes with the most pending jobs."
)
@connected
def status(
    session: Session, location_ids: tuple[str, ...], *, as_json: bool, watch: bool, interval: float, top: int | None
) -> None:
    r"""Show totals, and the lanes of all locations or of these, those with the most pending jobs first.

    \b
    window     requests in the rate window / limit
    day        requests of the day / limit
    limits_by  who set the limits: person, api or default (window/day if different)
    due_in     when the lane may send its next job, or what it waits for; - if it is held or empty
    brake      refusals in a row, after which the lane sends single probes

    LANES_BURST_LIMIT and LANES_DAILY_LIMIT count as limits of a person: run the command with the workers' settings.
    --watch --json prints a line of JSON at each refresh. Services that were added follow, with what they use of their
    quotas: lanes service --help explains them.
    """
    if watch and not as_json and sys.stdout.isatty():
        _watch(session, location_ids, top, interval)
    while True:
        snapshot = read_status(session, location_ids, top)
        if as_json:
            print_json(_as_json(snapshot, session.settings))
        else:
            click.echo(_totals(snapshot))
            print_table(COLUMNS, _rows(snapshot.lanes, session.settings))
            if snapshot.more:
                say(_more(snapshot))
            print_services(snapshot.services)
        if not watch:
            break
        sys.stdout.flush()
        time.sleep(interval)
    if snapshot.unknown:
        raise Refused("\n".join(f"{location_id}: {NO_LANE}" for location_id in snapshot.unknown))


def read_status(session: Session, location_ids: Sequence[str], top: int | None) -> StatusSnapshot:
    """Read the counts and the lanes."""
    counts, selected = session.reader.counts(), session.reader.lanes(location_ids or None)
    known = {lane.location_id for lane in selected}
    selected.sort(key=lambda lane: (-lane.counts["pending"], lane.location_id))
    shown = selected[:top]
    unknown = tuple(name for name in location_ids if name not in known)
    more, services = len(selected) - len(shown), () if location_ids else ServiceStore(session.reader).list()
    return StatusSnapshot(counts, session.reader.global_state(), tuple(shown), more, unknown, services)


def _as_json(snapshot: StatusSnapshot, settings: RateLimitSettings) -> dict[str, object]:
    outage, brake = snapshot.global_state.outage, snapshot.global_state.brake
    return {
        **snapshot.counts,
        "hold": snapshot.global_state.hold_as_json(),
        "outage": None if outage is None else outage.as_json(),
        "brake": None if brake is None else brake.as_json(),
        "services": [service.as_json() for service in snapshot.services],
        "locations": [_lane_as_json(lane, settings.burst_cap, settings.daily_cap) for lane in snapshot.lanes],
    }


def _lane_as_json(lane: Lane, burst_cap: int | None, daily_cap: int | None) -> dict[str, object]:
    burst, daily = lane.burst_in_force(burst_cap), lane.daily_in_force(daily_cap)
    plain = lane.as_json()
    plain["burst_limit"], plain["burst_limit_by"] = burst.requests, burst.source.value
    plain["daily_limit"], plain["daily_limit_by"] = daily.requests, daily.source.value
    return plain


def _sources(lane: Lane, settings: RateLimitSettings) -> str:
    """Return who set the limits: two words if burst and daily limit differ."""
    limits = (lane.burst_in_force(settings.burst_cap), lane.daily_in_force(settings.daily_cap))
    return "/".join(dict.fromkeys(limit.source.value for limit in limits))


def _rows(lanes: Sequence[Lane], settings: RateLimitSettings) -> list[tuple[object, ...]]:
    return [
        (
            lane.location_id,
            *(lane.counts[name] for name in COUNTS),
            f"{lane.window_used}/{lane.burst_in_force(settings.burst_cap).requests}",
            f"{lane.day_used}/{lane.daily_in_force(settings.daily_cap).requests}",
            _sources(lane, settings),
            STOPS[lane.waits_for] if lane.waits_for is not None else due(lane.due_in),
            _brake(lane),
            _hold(lane),
        )
        for lane in lanes
    ]


def _brake(lane: Lane) -> str:
    if lane.brake is None:
        return ""
    brake = lane.brake
    probe = due(brake.next_probe_in)
    if lane.hold is not None:
        probe = "none while it is held"
    elif lane.waits_for is not None:
        probe = f"after the {STOPS[lane.waits_for]}"
    return f"{pluralize(brake.refusals, 'refusal')}, status {brake.status}; next probe: {probe}"


def _hold(lane: Lane) -> str:
    if lane.hold is not None:
        return lane.hold_text
    return f"failing: {lane.failing} in a row, single probes" if lane.failing else ""


def _stops(state: GlobalState) -> Iterator[str]:
    """Yield a line for each reason that stops all lanes."""
    if state.hold is not None:
        by = f"{printable(state.held_by)}: {printable(state.hold)}"
        yield f"ALL LANES ARE HELD since {format_time(state.held_at)} by {by}"
    if state.outage is not None:
        limit = state.outage.half_open_limit
        probe = (
            f"next probe: {_all_probe(state, state.outage.next_probe_in)}"
            if limit == 1
            else f"ending: {limit} requests at a time"
        )
        yield f"OUTAGE of the API since {format_time(state.outage.since)}; {probe}"
    if state.brake is not None:
        why = f"several were refused with status {state.brake.status}, and nothing is delivered"
        probe = _all_probe(state, state.brake.next_probe_in)
        yield f"ALL LANES ARE ON THE BRAKE since {format_time(state.brake.since)}: {why}; next probe: {probe}"


def _all_probe(state: GlobalState, next_probe_in: float) -> str:
    return due(next_probe_in) if state.hold is None else "none while all lanes are held"


def due(seconds: float | None) -> str:
    """Return a waiting time as short text."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return "now"
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.0f}h"


def _totals(snapshot: StatusSnapshot) -> str:
    counts = "  ".join(f"{name.replace('_', ' ')} {count}" for name, count in snapshot.counts.items())
    return "\n".join([*_stops(snapshot.global_state), *_over_quota(snapshot.services), counts])


def _over_quota(services: Sequence[Service]) -> list[str]:
    over = [service for service in services if service.over]
    return [f"SERVICE {printable(service.name)} IS OVER ITS QUOTA {' and '.join(service.over)}" for service in over]


def _more(snapshot: StatusSnapshot) -> str:
    return f"... and {snapshot.more} more lanes" if snapshot.more else ""


def _watch(session: Session, location_ids: Sequence[str], top: int | None, interval: float) -> None:
    """Refresh the screen until Ctrl-C; by default with as many lanes as fit."""
    from ops.command.status_watch import watch  # noqa: PLC0415 - imports rich, for a terminal only

    def read(rows: int) -> tuple[str, list[tuple[object, ...]], str]:
        snapshot = read_status(session, location_ids, top or rows)
        unknown = "".join(f"\n{printable(name)}: no such lane" for name in snapshot.unknown)
        return _totals(snapshot), _rows(snapshot.lanes, session.settings), _more(snapshot) + unknown

    watch(COLUMNS, read, interval)
