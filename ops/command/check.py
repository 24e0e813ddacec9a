"""`lanes check`: is this Redis fit for the lanes, and is each job in exactly one place? `--repair` makes it so."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from lanes.audit import audit
from lanes.errors import LanesError, RedisUnavailableError
from lanes.finding import Finding, Severity, sound
from lanes.fitness import Surroundings, fitness, look
from lanes.order import Order
from lanes.printable import printable
from lanes.repair import Repairer, Terms
from lanes.rights import missing_rights
from lanes.service import unserved
from lanes.settings import Settings
from ops.command.failure import Refused
from ops.command.progress import Steps
from ops.command.session import Session, connected
from ops.command.words import counted, examples, print_json, say
from producers.order import order_for

# What is mended may uncover more: counts are compared only once the jobs are in their places.
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
@click.option("--repair", is_flag=True, help="Show how the findings would be mended; changes nothing without --yes.")
@click.option("--yes", is_flag=True, help="With --repair: mend them.")
@connected
def check(session: Session, *, as_json: bool, repair: bool, yes: bool) -> None:
    """Check Redis and its settings, and audit every job: is it in exactly one place, and do the counts add up?

    Works in small steps, so it may run beside working workers. Errors (exit status 1) are what must not be; warnings
    are what puts jobs at risk; notes are good to know. With --repair --yes, jobs that stand in no place go back into
    their lanes, in their order, ghosts and remains are removed, and counts are made anew. No job and no body is lost.
    """
    if yes and not repair:
        message = "--yes goes with --repair"
        raise click.UsageError(message)
    session.so_far = "check changes nothing"
    surroundings = look(session.store)
    rights = list(missing_rights(session.store))
    findings = [*fitness(surroundings), *rights, *unserved(session.store)]
    with Steps("auditing jobs", None) as progress:
        work = Work(session, progress)
        if yes:
            findings += work.repair()
        else:
            findings += work.audit_as_far_as_permitted(rights)
    if as_json:
        print_json(as_values(work, surroundings, findings))
    else:
        show(work, findings, repair=repair and not yes)
    if not sound(findings):
        raise click.exceptions.Exit(Refused.exit_code)


class Work:
    """An audit, or a repair, and how far it is."""

    def __init__(self, session: Session, progress: Steps) -> None:
        self._session = session
        self._progress = progress
        self.jobs = 0
        self.mended: list[tuple[Finding, str]] = []

    def audit(self) -> list[Finding]:
        """Return what is wrong."""
        self.jobs = 0
        return list(audit(self._session.store, self._reach))

    def audit_as_far_as_permitted(self, rights: Sequence[Finding]) -> list[Finding]:
        """Return what is wrong; where rights are missing, these are what matters."""
        try:
            return self.audit()
        except RedisUnavailableError as error:
            if not rights:
                raise
            return [Finding("not-audited", Severity.ERROR, "redis", str(error), "give this user its rights first")]

    def repair(self) -> list[Finding]:
        """Mend what is wrong, in rounds, until nothing is; return what remains."""
        settings = self._session.settings
        terms = Terms(settings.lease_seconds, settings.burst_window_seconds, settings.retention_seconds)
        repairer = Repairer(self._session.store, terms, lambda job_id, body: read_body(settings, job_id, body))
        findings = self.audit()
        if mendable := sum(finding.mend is not None for finding in findings):
            self._session.note("repair", "everything", counted(mendable, "finding"))
        for _ in range(ROUNDS):
            before = len(self.mended)
            for finding in findings:
                if finding.mend is not None:
                    self.mended.append((finding, repairer.mend(finding)))
                    self._session.so_far = (
                        f"{counted(len(self.mended), 'finding')} mended; go on with: lanes check --repair"
                    )
            if len(self.mended) == before:
                break
            findings = self.audit()
        return findings

    def _reach(self, jobs: int) -> None:
        self.jobs = jobs
        self._progress.reach(jobs)


def read_body(settings: Settings, job_id: str, body: bytes) -> Order | None:
    """Make an order of a stored body, None if it is none."""
    try:
        order = order_for(settings, json.loads(body), None)
    except (LanesError, ValueError):
        return None
    return replace(order, id=job_id)


def as_values(work: Work, surroundings: Surroundings, findings: list[Finding]) -> dict[str, object]:
    """Return all of it as plain values."""
    return {
        "sound": sound(findings),
        "jobs": work.jobs,
        "memory": surroundings.memory,
        "findings": [finding.as_json() for finding in findings],
        "mended": [{**finding.as_json(), "answer": answer} for finding, answer in work.mended],
    }


def show(work: Work, findings: list[Finding], *, repair: bool) -> None:
    """Print the findings: errors to stdout, the rest to stderr."""
    for finding, answer in work.mended:
        click.echo(printable(f"{answer}: {finding.code} {finding.where}: {finding.text}"))
    for finding in findings:
        line = printable(str(finding))
        if repair and finding.mend:
            line += f"; would {finding.mend.does}"
        if finding.severity is Severity.ERROR:
            click.echo(line)
        else:
            say(line)
    say("; ".join(summary(work, findings)))
    if repair and any(finding.mend for finding in findings):
        say("nothing was changed; mend it with: lanes check --repair --yes")


def summary(work: Work, findings: list[Finding]) -> Iterator[str]:
    """Yield what it came to, in words."""
    levels = Counter(finding.severity for finding in findings)
    verdict = counted(levels[Severity.ERROR], "error") if levels[Severity.ERROR] else "sound"
    others = ", ".join(counted(levels[level], level.value) for level in (Severity.WARNING, Severity.NOTE))
    yield f"{verdict}: {counted(work.jobs, 'job')} looked at, {others}"
    if work.mended:
        yield f"{counted(len(work.mended), 'finding')} mended"
