"""`lanes service`: services with quotas and keys."""

from dataclasses import replace
from typing import Any

import click

from lanes.ids import is_service
from lanes.outcomes.store import OutcomeStore
from lanes.printable import printable
from lanes.services.service import DEFAULT_MAX_DEAD, MAX_KEYS, Service
from lanes.services.store import ServiceStore, UnknownServiceError
from lanes.times import format_time
from ops.command.console import examples, pluralize, print_json, say
from ops.command.dead_bulk import confirm
from ops.command.failures import Refused
from ops.command.outcome_table import print_outcomes
from ops.command.service_table import print_services
from ops.command.session import Session, connected

MAX_QUOTA = 10**9
MAX_RATE = 10**6
NONE, NO_LIMIT = "none", -1


class ServiceName(click.ParamType[str]):
    """The name of a service."""

    name = "service"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        name = str(value)
        if not is_service(name):
            text = f"must be 1 to 64 printable ASCII characters, no spaces (it is {printable(repr(value))})"
            self.fail(text, param, ctx)
        return name


class Quota(click.ParamType[int]):
    """A quota, or `NO_LIMIT` for `none`."""

    name = "quota"

    def __init__(self, low: int, high: int, unit: str = "") -> None:
        self._low, self._high, self._unit = low, high, unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the quota."""
        text = str(value)
        number = text.removesuffix(self._unit)
        if text == NONE:
            return NO_LIMIT
        is_number = number.isascii() and number.isdecimal() and len(number) <= len(str(self._high))
        if not is_number or not self._low <= int(number) <= self._high:
            like = f", like 100{self._unit}" if self._unit else ""
            allowed = f"a whole number from {self._low} to {self._high}{like}, or {NONE}"
            self.fail(f"must be {allowed} (it is {printable(repr(text))})", param, ctx)
        return int(number)


_name = click.argument("name", metavar="NAME", type=ServiceName())


@click.group(
    epilog=examples(
        "lanes service add crm-sync --max-pending 50000 --rate 100/s",
        "lanes service key crm-sync > crm-sync.key",
        "lanes service list",
    )
)
def service() -> None:
    """Add, list and remove services. A service is who enqueues: `service` of its rows, or LANES_SERVICE.

    A service that was never added works without any limit. One that was added can have quotas, keys for the gateway,
    and a stream with the outcomes of its jobs.
    """


@service.command(
    epilog=examples(
        "lanes service add crm-sync --max-pending 50000 --rate 100/s",
        "lanes service add crm-sync --rate none          # removes this quota; the others stay",
    )
)
@_name
@click.option("--max-pending", type=Quota(0, MAX_QUOTA), metavar="N", help="Jobs that are pending or in flight.")
@click.option(
    "--max-dead", type=Quota(0, MAX_QUOTA), metavar="N", help=f"Dead letters; for a new service {DEFAULT_MAX_DEAD}."
)
@click.option("--rate", type=Quota(1, MAX_RATE, "/s"), metavar="N/s", help="New rows per second, over ten seconds.")
@click.option("--outcomes/--no-outcomes", default=None, help="Write the outcomes of its jobs to a stream, or do not.")
@connected
def add(session: Session, name: str, **given: Any) -> None:
    """Add a service, or change one: what is not named stays. A quota of `none` is no limit.

    Rows over a quota are refused when they are enqueued: the caller gets an error with a time after which to try again.
    Retries and replays are never refused.
    """
    services = ServiceStore(session.store)
    before = services.get(name) or Service(name, max_dead=DEFAULT_MAX_DEAD)
    named = {key: value for key, value in given.items() if value is not None}
    changes: dict[str, Any] = {key: None if value == NO_LIMIT else value for key, value in named.items()}
    wanted = replace(before, **changes)
    session.log_change("add service", name, _quotas(wanted))
    answer = services.add(wanted)
    say(f"{name}: {answer} ({_quotas(wanted)})")


def _quotas(found: Service) -> str:
    texts = [f"{name}={found.quotas.get(name, NONE)}" for name in ("max_pending", "max_dead", "rate")]
    return " ".join([*texts, f"outcomes={'on' if found.outcomes else 'off'}"])


@service.command("list", epilog=examples("lanes service list", "lanes service list --json | jq -r '.[].name'"))
@click.option("--json", "as_json", is_flag=True, help="Print them as a JSON array.")
@connected
def list_(session: Session, *, as_json: bool) -> None:
    """List the services with their quotas, and what they use of them."""
    found = ServiceStore(session.reader).list()
    if as_json:
        print_json([each.as_json() for each in found])
    else:
        print_services(found, "no services were added")


@service.command(epilog=examples("lanes service show crm-sync", "lanes service show crm-sync --json | jq .pending"))
@_name
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@connected
def show(session: Session, name: str, *, as_json: bool) -> None:
    """Show a service: quotas, keys, outcomes."""
    found = _find(ServiceStore(session.reader), name)
    summary = OutcomeStore(session.reader).summary(name)
    if as_json:
        print_json({**found.as_json(), "stream": summary.as_json()})
        return
    print_services([found])
    for key in found.by_age():
        click.echo(f"key {printable(key.fingerprint)} made {format_time(key.made_at)}")
    if found.outcomes:
        print_outcomes(summary)
    if found.over:
        say(f"{name} is over its quota {' and '.join(found.over)}: new rows are refused")


def _find(services: ServiceStore, name: str) -> Service:
    found = services.get(name)
    if found is None:
        raise UnknownServiceError(name)
    return found


@service.command(epilog=examples("lanes service remove crm-sync --dry-run", "lanes service remove crm-sync --yes"))
@_name
@click.option("--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def remove(session: Session, name: str, *, dry_run: bool, yes: bool) -> None:
    """Remove a service with its quotas, its keys and its outcomes. Its jobs stay. It asks first.

    Its keys stop working within 10 seconds.
    """
    services = ServiceStore(session.store)
    found = _find(services, name)
    what = f"its quotas, {pluralize(len(found.keys), 'key')} and its unread outcomes"
    if dry_run:
        say(f"{name}: would be removed, with {what}")
        return
    if not yes:
        confirm(f"remove {name} with {what}?", "add --yes")
    session.log_change("remove service", name, pluralize(len(found.keys), "key"))
    services.remove(name)
    say(f"{name}: removed; its keys stop working within 10 s")


@service.command(epilog=examples("lanes service show crm-sync", "lanes service revoke crm-sync 6229d70eb078"))
@_name
@click.argument("fingerprint", metavar="FINGERPRINT")
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def revoke(session: Session, name: str, fingerprint: str, *, yes: bool) -> None:
    """Remove one key of a service. It stops working within 10 seconds; the other one stays. It asks first.

    FINGERPRINT is the name of the key in `lanes service show NAME`.
    """
    services = ServiceStore(session.store)
    keys = {key.fingerprint: key for key in _find(services, name).by_age()}
    if fingerprint not in keys:
        raise Refused(f"{name} has no key {printable(fingerprint)}; its keys: {' '.join(keys) or 'none'}")
    if not yes:
        confirm(f"revoke the key {fingerprint} of {name}, made {format_time(keys[fingerprint].made_at)}?", "add --yes")
    session.log_change("revoke key", name, fingerprint)
    services.revoke_key(name, fingerprint)
    say(f"{name}: {fingerprint} is revoked; it stops working within 10 s; {pluralize(len(keys) - 1, 'key')} left")


@service.command("remove-group", epilog=examples("lanes service remove-group crm-sync old-consumer --dry-run"))
@_name
@click.argument("group", metavar="GROUP")
@click.option("--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def remove_group(session: Session, name: str, group: str, *, dry_run: bool, yes: bool) -> None:
    """Remove a consumer group that is not used any more. The outcomes of the service stay. It asks first.

    A process that still reads as this group creates it again, and gets all outcomes that are kept.
    """
    _find(ServiceStore(session.store), name)
    outcomes = OutcomeStore(session.store)
    summary = next((each for each in outcomes.summary(name).groups if each.name == group), None)
    if summary is None:
        raise Refused(f"{printable(group)}: {name} has no such group; see `lanes service show {name}`")
    what = f"the group {printable(group)} of {name}, {summary.describe()}"
    if dry_run:
        say(f"would remove {what}")
        return
    if not yes:
        confirm(f"remove {what}?", "add --yes")
    session.log_change("remove group", name, printable(group))
    outcomes.remove_outcome_group(name, group)
    say(f"removed {what}")


@service.command(epilog=examples("lanes service key crm-sync > crm-sync.key", "lanes service key crm-sync --yes"))
@_name
@click.option("--yes", is_flag=True, help="Do not ask whether to replace a key.")
@connected
def key(session: Session, name: str, *, yes: bool) -> None:
    """Make a key for a service and print it, once and alone, to stdout. Only its SHA-256 is stored.

    A service has at most two keys, so that a caller can change over from one to the other. A third replaces the older
    one, which then stops working within 10 seconds: it asks first. `lanes service revoke` ends a single key.
    """
    services = ServiceStore(session.store)
    found = _find(services, name)
    replaced = found.by_age()[0] if len(found.keys) == MAX_KEYS else None
    if replaced and not yes:
        older = f"{replaced.fingerprint} of {format_time(replaced.made_at)}"
        confirm(f"replace the older key of {name}, {older}?", "add --yes")
    session.log_change("make key", name, f"replaces {replaced.fingerprint}" if replaced else "")
    click.echo(services.make_key(name))
    say(f"{name}: this key is not shown again" + (f"; {replaced.fingerprint} stops working" if replaced else ""))
