"""`lanes limit`: shows and sets the rate limits and the weight of a location."""

from typing import Any

import click

from lanes.rate_limits import DEFAULT_BURST, DEFAULT_DAILY, LimitSource, limit_in_force
from ops.command.console import LocationId, examples, say
from ops.command.session import Session, connected

MAX_LIMIT = 10**9
MAX_WEIGHT = 100


@click.command(
    epilog=examples(
        "lanes limit ve9EPM428h8vShlRW1KT --burst 60 --daily 100000",
        "lanes limit ve9EPM428h8vShlRW1KT --weight 3",
        "lanes limit ve9EPM428h8vShlRW1KT --reset",
        "lanes limit ve9EPM428h8vShlRW1KT",
    )
)
@click.argument("location_id", metavar="LOCATION", type=LocationId())
@click.option("--burst", type=click.IntRange(1, MAX_LIMIT), metavar="N", help="Requests in a rate window.")
@click.option("--daily", type=click.IntRange(1, MAX_LIMIT), metavar="N", help="Requests in a day.")
@click.option("--weight", type=click.IntRange(1, MAX_WEIGHT), metavar="N", help="Share of scarce workers; default: 1.")
@click.option("--reset", is_flag=True, help="Remove the limits and the weight of this location.")
@connected
def limit(session: Session, location_id: str, *, reset: bool, **given: Any) -> None:
    """Set rate limits and a weight for a location; those not named stay. Without options, show them.

    They apply from the next request on. A limit here is a cap: a location never sends more than the API allows. Without
    one, LANES_BURST_LIMIT and LANES_DAILY_LIMIT are the caps; without these, the API's own limit applies.
    """
    changed = {name: value for name, value in given.items() if value is not None}
    if reset and changed:
        raise click.UsageError("--reset removes what the other options set: use one or the other")
    lanes = {lane.location_id: lane for lane in session.store.lanes()}
    known = lanes.get(location_id)
    own = {name: None if known is None or reset else getattr(known, name) for name in ("burst", "daily", "weight")}
    own |= changed
    if reset or changed:
        detail = " ".join(f"{name}={value}" for name, value in changed.items())
        session.log_change("limit", location_id, detail or "reset")
        session.store.limit(location_id, **own)
    settings = session.settings
    api_burst, api_daily = (None, None) if known is None else (known.api_burst, known.api_daily)
    shown = {
        "burst": _shown(own["burst"], settings.burst_cap, api_burst, DEFAULT_BURST),
        "daily": _shown(own["daily"], settings.daily_cap, api_daily, DEFAULT_DAILY),
        "weight": "1" if own["weight"] is None else str(own["weight"]),
    }
    note = "" if known else " (it had no lane; mistyped?)"
    say(f"{location_id}: {', '.join(f'{name} {value}' for name, value in shown.items())}{note}")


def _shown(own: int | None, cap: int | None, api_limit: int | None, default: int) -> str:
    cap = cap if own is None else own
    limit = limit_in_force(cap, api_limit, default)
    if limit.source is LimitSource.API:
        return f"{limit.requests} (the API's{'' if cap is None else f'; the cap of {cap} is higher'})"
    if limit.source is LimitSource.PERSON and api_limit is not None:
        return f"{limit.requests} (a cap; the API allows {api_limit})"
    return str(limit.requests)
