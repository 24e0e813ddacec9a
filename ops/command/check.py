"""`lanes check`: is this Redis fit for the lanes, and is each job in exactly one place? `--repair` makes it so."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from lanes.checks.consistency import check_consistency
from lanes.checks.consumers import no_consumers
from lanes.checks.finding import Finding, Severity, consistent
from lanes.checks.permissions import missing_permissions
from lanes.checks.repair import RepairDefaults, Repairer
from lanes.checks.server import ServerInfo, check_server, inspect_server
from lanes.errors import LanesError, RedisUnavailableError
from lanes.printable import printable
from lanes.queue.new_job import NewJob
from lanes.settings import ProducerSettings
from ops.command.console import examples, pluralize, print_json, say
from ops.command.failures import Refused
from ops.command.progress import Steps
from ops.command.session import Session, connected
from producers.new_job import new_job_for

# What is repaired may uncover more: counts are compared only once the jobs are in their places.
ROUNDS = 5


@click.command(
    epilog=examples(
        "lanes check",
        "lanes check --json | jq -r '.findings[].text'",
        "lanes check --repair",
        "lanes check --repair --yes",
    )
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--repair", is_flag=True, help="Show how the findings would be repaired; changes nothing without --yes.")
@click.option("--yes", is_flag=True, help="With --repair: repair them.")
@connected
def check(session: Session, *, as_json: bool, repair: bool, yes: bool) -> None:
    """Check Redis and its settings, and audit every job: is it in exactly one place, and do the counts add up?

    Works in small steps, so it may run beside working workers. Errors (exit status 1) are what must not be; warnings
    are what puts jobs at risk; notes are good to know. With --repair --yes, jobs that stand in no place go back into
    their lanes, in their order, ghosts and remains are removed, and counts are made anew. No job and no body is lost.
    """
    if yes and not repair:
        raise click.UsageError("--yes goes with --repair")
    session.so_far = "check changes nothing"
    server_info = inspect_server(session.store)
    permissions = list(missing_permissions(session.store))
    findings = [*check_server(server_info), *permissions, *no_consumers(session.store)]
    with Steps("auditing jobs", None) as progress:
        check_run = CheckRun(session, progress)
        if yes:
            findings += check_run.repair()
        else:
            findings += check_run.check_as_permitted(permissions)
    if as_json:
        print_json(as_values(check_run, server_info, findings))
    else:
        show(check_run, findings, repair=repair and not yes)
    if not consistent(findings):
        raise click.exceptions.Exit(Refused.exit_code)


class CheckRun:
    """An audit, or a repair, and how far it is."""

    def __init__(self, session: Session, progress: Steps) -> None:
        self._session = session
        self._progress = progress
        self.jobs = 0
        self.repaired: list[tuple[Finding, str]] = []

    def check_consistency(self) -> list[Finding]:
        """Return what is wrong."""
        self.jobs = 0
        return list(check_consistency(self._session.store, self._reach))

    def check_as_permitted(self, permissions: Sequence[Finding]) -> list[Finding]:
        """Return what is wrong; where rights are missing, these are what matters."""
        try:
            return self.check_consistency()
        except RedisUnavailableError as error:
            if not permissions:
                raise
            return [Finding("not-audited", Severity.ERROR, "redis", str(error), "give this user its rights first")]

    def repair(self) -> list[Finding]:
        """Mend what is wrong, in rounds, until nothing is; return what remains."""
        settings = self._session.settings
        terms = RepairDefaults(settings.lease_seconds, settings.burst_window_seconds, settings.retention_seconds)
        repairer = Repairer(self._session.store, terms, lambda job_id, body: read_body(settings, job_id, body))
        findings = self.check_consistency()
        if mendable := sum(finding.repair is not None for finding in findings):
            self._session.log_change("repair", "everything", pluralize(mendable, "finding"))
        for _ in range(ROUNDS):
            before = len(self.repaired)
            for finding in findings:
                if finding.repair is not None:
                    self.repaired.append((finding, repairer.repair(finding)))
                    self._session.so_far = (
                        f"{pluralize(len(self.repaired), 'finding')} repaired; go on with: lanes check --repair"
                    )
            if len(self.repaired) == before:
                break
            findings = self.check_consistency()
        return findings

    def _reach(self, jobs: int) -> None:
        self.jobs = jobs
        self._progress.update(jobs)


def read_body(settings: ProducerSettings, job_id: str, body: bytes) -> NewJob | None:
    """Make an order of a stored body, None if it is none."""
    try:
        new_job = new_job_for(settings, json.loads(body), None)
    except (LanesError, ValueError):
        return None
    return replace(new_job, id=job_id)


def as_values(check_run: CheckRun, server_info: ServerInfo, findings: list[Finding]) -> dict[str, object]:
    """Return all of it as plain values."""
    return {
        "consistent": consistent(findings),
        "jobs": check_run.jobs,
        "memory": server_info.memory,
        "findings": [finding.as_json() for finding in findings],
        "repaired": [{**finding.as_json(), "answer": answer} for finding, answer in check_run.repaired],
    }


def show(check_run: CheckRun, findings: list[Finding], *, repair: bool) -> None:
    """Print the findings: errors to stdout, the rest to stderr."""
    for finding, answer in check_run.repaired:
        click.echo(printable(f"{answer}: {finding.code} {finding.where}: {finding.text}"))
    for finding in findings:
        line = printable(str(finding))
        if repair and finding.repair:
            line += f"; would {finding.repair.description}"
        if finding.severity is Severity.ERROR:
            click.echo(line)
        else:
            say(line)
    say("; ".join(summary(check_run, findings)))
    if repair and any(finding.repair for finding in findings):
        say("nothing was changed; repair it with: lanes check --repair --yes")


def summary(check_run: CheckRun, findings: list[Finding]) -> Iterator[str]:
    """Yield what it came to, in words."""
    levels = Counter(finding.severity for finding in findings)
    verdict = pluralize(levels[Severity.ERROR], "error") if levels[Severity.ERROR] else "consistent"
    others = ", ".join(pluralize(levels[level], level.value) for level in (Severity.WARNING, Severity.NOTE))
    yield f"{verdict}: {pluralize(check_run.jobs, 'job')} looked at, {others}"
    if check_run.repaired:
        yield f"{pluralize(len(check_run.repaired), 'finding')} repaired"
