"""`lanes limit`: budgets and a weight of a location's own."""

from typing import Any

import click

from lanes.rate_limits import DEFAULT_BURST, DEFAULT_DAILY, LimitSource, limit_in_force
from ops.command.session import Session, connected
from ops.command.words import LocationId, examples, say

MOST = 10**9
MOST_WEIGHT = 100


@click.command(
    epilog=examples(
        "lanes limit ve9EPM428h8vShlRW1KT --burst 60 --daily 100000",
        "lanes limit ve9EPM428h8vShlRW1KT --weight 3",
        "lanes limit ve9EPM428h8vShlRW1KT --common",
        "lanes limit ve9EPM428h8vShlRW1KT",
    )
)
@click.argument("location_id", metavar="LOCATION", type=LocationId())
@click.option("--burst", type=click.IntRange(1, MOST), metavar="N", help="Requests in a window.")
@click.option("--daily", type=click.IntRange(1, MOST), metavar="N", help="Requests in a day.")
@click.option(
    "--weight",
    type=click.IntRange(1, MOST_WEIGHT),
    metavar="N",
    help="Turns that its lane has where others have one, when workers are short.",
)
@click.option(
    "--common",
    is_flag=True,
    help="Nothing of its own any more: as LANES_BURST_LIMIT and LANES_DAILY_LIMIT say, or else the API.",
)
@connected
def limit(session: Session, location_id: str, *, common: bool, **given: Any) -> None:
    """Give a location budgets and a weight of its own; what is not named stays. Without options, show them.

    They hold from the next request on. They are caps: a location never sends more than the API says that it may.
    Without one, of its own or in the settings, the API's own limit holds, higher or lower.
    """
    changed = {name: value for name, value in given.items() if value is not None}
    if common and changed:
        message = "--common takes away what the other options would set; say one or the other"
        raise click.UsageError(message)
    lanes = {lane.location_id: lane for lane in session.store.lanes()}
    known = lanes.get(location_id)
    own = {name: None if known is None or common else getattr(known, name) for name in ("burst", "daily", "weight")}
    own |= changed
    if common or changed:
        detail = " ".join(f"{name}={value}" for name, value in changed.items())
        session.note("limit", location_id, detail or "common")
        session.store.limit(location_id, **own)
    settings = session.settings
    api_burst, api_daily = (None, None) if known is None else (known.api_burst, known.api_daily)
    shown = {
        "burst": _shown(own["burst"], settings.burst_cap, api_burst, DEFAULT_BURST),
        "daily": _shown(own["daily"], settings.daily_cap, api_daily, DEFAULT_DAILY),
        "weight": "1" if own["weight"] is None else str(own["weight"]),
    }
    note = "" if known else " (it never had a job; mistyped?)"
    say(f"{location_id}: {', '.join(f'{name} {value}' for name, value in shown.items())}{note}")


def _shown(own: int | None, cap: int | None, told: int | None, default: int) -> str:
    limit = limit_in_force(cap if own is None else own, told, default)
    person = cap if own is None else own
    if limit.source is LimitSource.API:
        return f"{limit.requests} (as the API says{'' if person is None else f'; the cap of {person} is higher'})"
    if limit.source is LimitSource.PERSON and told is not None:
        return f"{limit.requests} (a cap; the API allows {told})"
    return str(limit.requests)
