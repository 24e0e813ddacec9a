"""`lanes audit-log`: who changed what by hand, and who looked at content."""

from collections.abc import Iterator
from itertools import islice

import click

from lanes.activity import audit_log as entries
from lanes.activity.audit_log import AuditLogEntry
from lanes.times import format_time
from ops.command.console import MAX_SHOWN, examples, print_json_array
from ops.command.session import Session, connected
from ops.command.table import Column, print_table

COLUMNS = (Column("when"), Column("who"), Column("user"), Column("what"), Column("on"), Column("detail"))
PAGE = 500


@click.command(
    epilog=examples(
        "lanes audit-log", "lanes audit-log --what replay --what purge", "lanes audit-log --limit 1000 --json"
    )
)
@click.option("--who", help="Only actions of this person: the name, or the user.")
@click.option(
    "--what", "verbs", multiple=True, metavar="VERB", help="Only this kind: hold, edit, purge... Can be repeated."
)
@click.option("--on", help="Only changes of this location, job or selection.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_SHOWN), default=50, show_default=True, help="Show at most N entries."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@connected
def audit_log(
    session: Session, *, who: str | None, verbs: tuple[str, ...], on: str | None, limit: int, as_json: bool
) -> None:
    """Show who changed what with commands or on the pages, and who looked at content, newest first.

    An entry is written before the action. About 20,000 entries are kept; the workers also log each one. WHO is the
    login of the page or the name given with --by, USER the login or the user of the system.
    """

    def matches(entry: AuditLogEntry) -> bool:
        return (
            (not who or who in (entry.who, entry.user))
            and (not verbs or entry.what in verbs)
            and (not on or entry.on == on)
        )

    found = islice(filter(matches, _all(session)), limit)
    if as_json:
        print_json_array(entry.as_json() for entry in found)
        return
    rows = [(format_time(entry.at), entry.who, entry.user, entry.what, entry.on, entry.detail) for entry in found]
    print_table(COLUMNS, rows, "no changes found")


def _all(session: Session) -> Iterator[AuditLogEntry]:
    before = None
    while page := entries.read(session.store, PAGE, before):
        yield from page
        before = page[-1].id
