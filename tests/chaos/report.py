"""The report of a run, as a table and as JSON."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from lanes.queue.job import State
from tests.chaos.checks import explain_repeats, lost, max_per_window, out_of_order, violations
from tests.chaos.evidence import Evidence, NotTried
from tests.chaos.journal import JournalContents
from tests.chaos.recovery import Recovery, recovery
from tests.chaos.run import CALM_SECONDS, Run

MAX_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a run; `wrong` has a line for each violation."""

    seed: int
    seconds: float
    figures: dict[str, int]
    faults: dict[str, int]
    not_tried: tuple[NotTried, ...]
    repeats: dict[str, int]
    refusals: dict[str, int]
    recoveries: dict[str, float | None]
    wrong: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "seed": self.seed,
            "seconds": round(self.seconds),
            **self.figures,
            "faults": self.faults,
            "not_tried": [
                {"fault": one.name, "why": one.why, "times": times} for one, times in Counter(self.not_tried).items()
            ],
            "requests_sent_again_by_cause": self.repeats,
            "refusals_told_to_producers": self.refusals,
            **self.recoveries,
            "violations": list(self.wrong),
        }

    def print(self, console: Console) -> None:
        """Print the table, and every violation."""
        table = Table("what", "count", title=f"seed {self.seed}, {self.seconds:.0f} s", title_justify="left")
        table.columns[1].justify = "right"
        for groups in (self.figures, self.recoveries):
            for name, value in groups.items():
                table.add_row(name.replace("_", " "), _shown(value))
            table.add_section()
        for title, group in (("fault", self.faults), ("sent again", self.repeats), ("refused", self.refusals)):
            for name, count in group.items():
                table.add_row(f"{title}: {name}", str(count))
            table.add_section()
        for one, times in Counter(self.not_tried).items():
            table.add_row(f"not tried: {one.name} ({one.why})", str(times))
        console.print(table)
        for line in self.wrong[:MAX_SHOWN]:
            console.print(line, markup=False, highlight=False)
        if len(self.wrong) > MAX_SHOWN:
            console.print(f"... and {len(self.wrong) - MAX_SHOWN} more")


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def recoveries(run: Run, evidence: Evidence) -> list[Recovery]:
    """Return how each round was recovered from."""
    deliveries = sorted(arrival.at for arrival in evidence.arrivals if arrival.succeeded)
    found = []
    for round_ in run.rounds:
        until = (round_.recovered_at or round_.ended_at) + CALM_SECONDS
        found.append(recovery(deliveries, round_.began_at, round_.ended_at, until, run.environment.usual_rate))
    return found


def make_report(
    run: Run,
    evidence: Evidence,
    recorded: JournalContents,
    *,
    seed: int,
    seconds: float,
    not_tried: Sequence[NotTried] = (),
) -> Report:
    """Judge a run. `not_tried`: the faults that were not planned, because this machine cannot inject them."""
    repeats, ends = explain_repeats(evidence), evidence.ends
    nowhere = sum(line.startswith("lost") for line in (*lost(evidence), *evidence.findings))
    states = Counter(
        ends[accepted_job.job_id] for accepted_job in evidence.accepted_jobs if accepted_job.job_id in ends
    )
    back = recoveries(run, evidence)
    figures = {
        "jobs_accepted": len(evidence.accepted_jobs),
        **{f"jobs_{state}": states[state] for state in State},
        "jobs_unfinished_when_redis_was_emptied": len(evidence.accepted_jobs) - states.total() - nowhere,
        "lost": nowhere,
        "order_violations": sum(line.startswith("order") for line in out_of_order(evidence)),
        "requests": len(evidence.arrivals),
        "requests_sent_again": repeats.by_cause.total(),
        "requests_sent_again_without_need": len(repeats.unexplained),
        "most_requests_in_a_window": max(max_per_window(evidence).values(), default=0),
        "limit_of_a_window": evidence.limit,
        "rounds": len(run.rounds),
        "workers_that_ended_by_themselves": len(run.environment.ends),
    }
    times = {
        "first_delivery_after_a_fault_seconds": [one.first for one in back if one.first is not None],
        "full_speed_after_a_fault_seconds": [one.full for one in back if one.full is not None],
    }
    summary: dict[str, float | None] = {}
    for name, values in times.items():
        summary[f"{name}_median"] = round(statistics.median(values), 2) if values else None
        summary[f"{name}_worst"] = round(max(values), 2) if values else None
    summary["speed_after_by_speed_before_median"] = _median([one.ratio for one in back])
    summary["longest_wait_of_a_producer_seconds"] = round(recorded.longest_call, 2)
    return Report(
        seed,
        seconds,
        figures,
        dict(sorted(Counter(one.name for one in evidence.injected).items())),
        (*not_tried, *run.not_tried),
        dict(repeats.by_cause.most_common()),
        recorded.refusals,
        summary,
        (*violations(evidence), *run.stuck),
    )


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 2) if values else None
