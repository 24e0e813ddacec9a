"""`lanes check`: is this Redis fit for the lanes, and is each job in exactly one place?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from lanes.audit import audit
from lanes.printable import printable
from lanes.store import LaneStore
from ops.command.failure import Refused
from ops.command.progress import Steps
from ops.command.session import Session, connected
from ops.command.words import counted, examples, print_json, say

LEAST_VERSION = (6, 2)


@click.command(epilog=examples("lanes check", "lanes check --json | jq -r '.findings[]'"))
@click.option("--json", "as_json", is_flag=True, help="Print the findings and warnings as JSON.")
@connected
def check(session: Session, *, as_json: bool) -> None:
    """Check the settings and Redis, and audit every job: is it in exactly one place, and do the counts add up?

    Reads only, in small steps, so it may run beside working workers. Findings (exit status 1) are what must not be;
    warnings are what puts jobs at risk: a Redis that evicts keys, or keeps nothing on disk.
    """
    session.so_far = "check changes nothing"
    info = session.store.client.info()
    findings = list(wrong_version(info))
    warnings = list(risks(info))
    with Steps("auditing jobs", None) as progress:
        store = CountingStore(session.store, progress.reach)
        findings += audit(store)
    if as_json:
        print_json({"sound": not findings, "jobs": store.looked_at, "findings": findings, "warnings": warnings})
    else:
        for line in findings:
            click.echo(printable(line))
        for line in warnings:
            say(f"warning: {printable(line)}")
        verdict = "sound" if not findings else counted(len(findings), "finding")
        say(f"{verdict}: {counted(store.looked_at, 'job')} looked at, {counted(len(warnings), 'warning')}")
    if findings:
        raise click.exceptions.Exit(Refused.exit_code)


class CountingStore(LaneStore):
    """A store that tells how many jobs the audit has looked at."""

    def __init__(self, store: LaneStore, tell: Callable[[int], None]) -> None:
        super().__init__(store.client, store.prefix)
        self.looked_at = 0
        self._tell = tell

    def audit_jobs(self, job_ids: Sequence[str]) -> list[str]:
        """Audit some jobs."""
        found = super().audit_jobs(job_ids)
        self.looked_at += len(job_ids)
        self._tell(self.looked_at)
        return found


def wrong_version(info: Mapping[str, Any]) -> Iterator[str]:
    """Yield what keeps the scripts from running on this server."""
    version = str(info.get("redis_version", "0"))
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts < LEAST_VERSION:
        yield f"Redis {version} is too old: the lanes need {'.'.join(map(str, LEAST_VERSION))} or newer"


def risks(info: Mapping[str, Any]) -> Iterator[str]:
    """Yield what may cost jobs, by the server's own account (`INFO`)."""
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        yield f"maxmemory-policy is {policy}: a full Redis would throw jobs away; set it to noeviction"
    if not info.get("aof_enabled"):
        yield "appendonly is off: a crash of Redis loses what was accepted since the last snapshot; set it to yes"
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        yield "the append-only file could not be written: is the disk full?"
    if info.get("role") not in (None, "master"):
        yield f"this is a {info['role']}: nothing can be enqueued here; name the primary in LANES_REDIS_URL"
