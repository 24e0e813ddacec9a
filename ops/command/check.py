"""`lanes check`: checks the settings of Redis and the consistency of the jobs; `--repair` fixes what it found."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from lanes.activity.series import last_hour
from lanes.checks.consistency import REPEAT_GUARDS, check_consistency
from lanes.checks.consumers import no_consumers
from lanes.checks.finding import Finding, Severity, consistent
from lanes.checks.history import check_history
from lanes.checks.permissions import missing_permissions
from lanes.checks.repair import RepairDefaults, Repairer
from lanes.checks.server import ServerInfo, check_server, inspect_server
from lanes.checks.worker_reports import live_reports
from lanes.checks.workers import check_workers
from lanes.errors import LanesError, RedisUnavailableError
from lanes.printable import printable
from lanes.queue.new_job import NewJob
from lanes.settings import ProducerSettings
from lanes.storage.stored import ignore, json_object_of
from ops.command.console import examples, pluralize, print_json, say
from ops.command.failures import Refused
from ops.command.progress import Steps
from ops.command.session import Session, connected
from ops.command.typeable import typeable
from producers.new_job import new_job_for

# A repair may reveal more findings: counts are compared only once all jobs are in their places.
ROUNDS = 8


@click.command(
    epilog=examples("lanes check", "lanes check --json | jq -r '.findings[].text'", "lanes check --repair --yes")
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--repair", is_flag=True, help="Show how each finding would be repaired; changes nothing without --yes.")
@click.option("--yes", is_flag=True, help="With --repair: repair them.")
@connected
def check(session: Session, *, as_json: bool, repair: bool, yes: bool) -> None:
    """Check Redis, its settings and every job: is each job in exactly one state, and do the counts add up?

    It works in small steps and can run while workers work. An error (exit status 1) is a fault, a warning is a risk
    for jobs, a note is information. With --repair --yes, lost jobs go back into their lanes in order, orphans are
    removed, and counts are recomputed. No job and no body is lost.
    """
    if yes and not repair:
        raise click.UsageError("--yes goes with --repair")
    session.store.unreadable = ignore  # the findings name them
    server_info = inspect_server(session.store)
    permissions = list(missing_permissions(session.store))
    findings = [*check_server(server_info), *permissions, *no_consumers(session.store)]
    findings += check_workers(server_info, live_reports(session.store))
    settings, max_memory = session.settings, server_info.memory["maxmemory"]
    hourly = last_hour(session.store).total("delivered")
    findings += check_history(session.store, hourly, max_memory, settings.history_share, settings.retention_seconds)
    with Steps("checking jobs", None) as progress:
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
    """A consistency check or a repair, with its progress."""

    def __init__(self, session: Session, progress: Steps) -> None:
        self._session = session
        self._progress = progress
        self.jobs = 0
        self.repeat_guards: Counter[str] = Counter()
        self.repaired: list[tuple[Finding, str]] = []

    def check_consistency(self) -> list[Finding]:
        """Return the findings."""
        self.jobs = 0
        self.repeat_guards.clear()
        return list(check_consistency(self._session.store, self._count, self.repeat_guards))

    def check_as_permitted(self, permissions: Sequence[Finding]) -> list[Finding]:
        """Return the findings, or one that says that the missing `permissions` prevent the check."""
        try:
            return self.check_consistency()
        except RedisUnavailableError as error:
            if not permissions:
                raise
            return [Finding("not-audited", Severity.ERROR, "redis", str(error), "give this user its rights first")]

    def repair(self) -> list[Finding]:
        """Repair in rounds until nothing is left to repair; return the remaining findings."""
        settings = self._session.settings
        defaults = RepairDefaults(settings.lease_seconds, settings.burst_window_seconds, settings.retention_seconds)
        repairer = Repairer(self._session.store, defaults, lambda job_id, body: read_body(settings, job_id, body))
        findings = self.check_consistency()
        for finding in findings:
            if finding.code == "type" and finding.where == "audit_log":  # it must take the entry of this repair
                self.repaired.append((finding, repairer.repair(finding)))
        if repairable := sum(finding.repair is not None for finding in findings):
            self._session.log_change("repair", "everything", pluralize(repairable, "finding"))
        for _ in range(ROUNDS):
            before = len(self.repaired)
            for finding in findings:
                if finding.repair is not None:
                    self.repaired.append((finding, repairer.repair(finding)))
                    done = pluralize(len(self.repaired), "finding")
                    self._session.so_far = f"{done} repaired; continue with: lanes check --repair"
            if len(self.repaired) == before:
                break
            findings = self.check_consistency()
        return findings

    def _count(self, jobs: int) -> None:
        self.jobs = jobs
        self._progress.update(jobs)


def read_body(settings: ProducerSettings, job_id: str, body: bytes) -> NewJob | None:
    """Return the job of a stored body, None if the body is not valid."""
    fields = json_object_of(body)
    try:
        return None if fields is None else replace(new_job_for(settings, fields, None), id=job_id)
    except (LanesError, ValueError):
        return None


def as_values(check_run: CheckRun, server_info: ServerInfo, findings: list[Finding]) -> dict[str, object]:
    """Return the results for JSON."""
    return {
        "consistent": consistent(findings),
        "jobs": check_run.jobs,
        "memory": server_info.memory,
        "repeat_guards": {kind: check_run.repeat_guards[kind] for kind in REPEAT_GUARDS},
        "findings": [finding.as_json() for finding in findings],
        "repaired": [{**finding.as_json(), "answer": answer} for finding, answer in check_run.repaired],
    }


def show(check_run: CheckRun, findings: list[Finding], *, repair: bool) -> None:
    """Print the findings: errors to stdout, the rest to stderr."""
    for finding, answer in check_run.repaired:
        click.echo(printable(f"{answer}: {finding.code} {finding.where}: {finding.text}"))
    for finding in findings:
        line = printable(typeable(str(finding)))
        if repair and finding.repair:
            line += f"; would {finding.repair.description}"
        click.echo(line, err=finding.severity is not Severity.ERROR)
    say("; ".join(summary(check_run, findings)))
    if repair and any(finding.repair for finding in findings):
        say("nothing was changed; repair it with: lanes check --repair --yes")


def summary(check_run: CheckRun, findings: list[Finding]) -> Iterator[str]:
    """Yield the parts of the summary."""
    levels = Counter(finding.severity for finding in findings)
    verdict = pluralize(levels[Severity.ERROR], "error") if levels[Severity.ERROR] else "consistent"
    others = ", ".join(pluralize(levels[level], level.value) for level in (Severity.WARNING, Severity.NOTE))
    yield f"{verdict}: {pluralize(check_run.jobs, 'job')} checked, {others}"
    if kept := check_run.repeat_guards.total():
        yield f"{pluralize(kept, 'key')} that make a repeat harmless outlive their jobs"
    if check_run.repaired:
        yield f"{pluralize(len(check_run.repaired), 'finding')} repaired"
