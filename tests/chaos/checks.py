"""What must hold after every run: each check reads the evidence and yields a line per violation."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from lanes.queue.job import State
from ops.sandbox.faults import AROUND_THE_ANSWER
from ops.sandbox.request_log import max_in_window
from tests.chaos.evidence import Arrival, Evidence, Injected, Record
from tests.chaos.journal import AcceptedJob
from tests.chaos.traffic import PIPELINE, WITH_EVENT_TIMES, RecordKind

ANSWERED = frozenset(AROUND_THE_ANSWER)  # faults that leave the request its answer: nothing is to be sent again
EXACT = 1e-9
RETRIED = frozenset({401, 408, 429, *range(500, 600)})  # answers after which a job is sent again
SLACK_SECONDS = 2.0  # for what a fault held up to arrive after its end


def violations(evidence: Evidence) -> list[str]:
    """Return a line for each violation."""
    return [
        *lost(evidence),
        *miscounted(evidence),
        *not_sent(evidence),
        *out_of_order(evidence),
        *stale_value_kept(evidence),
        *exceeded_windows(evidence),
        *untold(evidence),
        *explain_repeats(evidence).unexplained,
        *evidence.unexpected,
        *evidence.findings,
    ]


def epoch(evidence: Evidence, accepted_job: AcceptedJob) -> int:
    """Return how often Redis was emptied before a job was accepted; earlier jobs are gone by definition."""
    if accepted_job.job_id in evidence.stored:
        return len(evidence.emptied)
    return sum(at <= accepted_job.acked_at for at in evidence.emptied)


def lost(evidence: Evidence) -> Iterator[str]:
    """Yield the accepted jobs that are lost, although Redis was not emptied since."""
    emptied = max(evidence.emptied, default=float("-inf"))
    for accepted_job in evidence.accepted_jobs:
        # A call that began before the new beginning may have been answered by the old one.
        if accepted_job.job_id not in evidence.stored and accepted_job.asked_at >= emptied:
            yield f"lost: job {accepted_job.job_id} ({accepted_job.uid}) was accepted and is nowhere"


def miscounted(evidence: Evidence) -> Iterator[str]:
    """Yield where the counts of the lanes differ from those of the accepted jobs."""
    present = {accepted_job.job_id for accepted_job in evidence.accepted_jobs if accepted_job.job_id in evidence.stored}
    if evidence.counts["accepted"] != len(present):
        yield f"miscounted: {evidence.counts['accepted']} accepted, but {len(present)} were acknowledged"
    states = Counter(evidence.stored[job_id] for job_id in present)
    for state in State:
        if evidence.counts[state] != states[state]:
            yield f"miscounted: {evidence.counts[state]} {state}, but {states[state]} jobs are"
    for state in (State.PENDING, State.IN_FLIGHT):
        if states[state]:
            yield f"unfinished: {states[state]} jobs are still {state}"


def not_sent(evidence: Evidence) -> Iterator[str]:
    """Yield the jobs whose final state disagrees with the API."""
    applied = {arrival.uid for arrival in evidence.arrivals if arrival.applied}
    ends = evidence.ends
    for accepted_job in evidence.accepted_jobs:
        state = ends.get(accepted_job.job_id)
        if state is State.DELIVERED and accepted_job.kind not in (RecordKind.MERGED, RecordKind.TIMED_MERGED):
            if accepted_job.uid not in applied and not (evidence.forgotten and accepted_job.kind is RecordKind.TIMED):
                yield f"not sent: {accepted_job.uid} is delivered, but its upsert took no effect at the API"
        elif state is State.DEAD and accepted_job.kind is not RecordKind.REFUSED:
            yield f"dead without need: {accepted_job.uid}"
        elif state is State.DELIVERED and accepted_job.kind is RecordKind.REFUSED:
            yield f"not refused: {accepted_job.uid} is delivered, though the API refused it"
        elif accepted_job.cancelled and state not in (None, State.CANCELLED, State.DELIVERED):
            yield f"not cancelled: {accepted_job.uid} is {state}, though the lanes said that it was cancelled"
        elif state is State.EXPIRED and accepted_job.kind is not RecordKind.EXPIRING:
            yield f"expired without need: {accepted_job.uid}"
        elif state is State.CANCELLED and accepted_job.kind is not RecordKind.CANCELLED:
            yield f"cancelled without need: {accepted_job.uid}"


def untold(evidence: Evidence) -> Iterator[str]:
    """Yield the jobs whose service was not told of their end, or of another end. A merged job ends with its target."""
    if (told := evidence.told) is None:
        return
    for job_id, state in evidence.stored.items():
        target = evidence.merge_targets.get(job_id, job_id)
        end = evidence.stored.get(target, state)
        if end.final and (said := told.get(job_id)) is not end:
            yield f"untold: job {job_id} is {end}, and its service was told {said or 'nothing'}"


def out_of_order(evidence: Evidence) -> Iterator[str]:
    """Yield each request with an older word about its record than one that came before.

    Words from before Redis was emptied are not compared with those from after: nothing knew of them any more.
    """
    epochs = {accepted_job.uid: epoch(evidence, accepted_job) for accepted_job in evidence.accepted_jobs}
    timed = {(one.location, PIPELINE, one.contact) for one in evidence.accepted_jobs if one.kind in WITH_EVENT_TIMES}
    newest: dict[tuple[Record, int], int] = {}
    for arrival in sorted(evidence.arrivals, key=lambda one: one.at):
        if evidence.forgotten and not arrival.uid and arrival.record in timed:
            continue
        if arrival.uid not in epochs:
            yield f"unknown: a request for {arrival.uid or arrival.record} that was never accepted"
            continue
        key = arrival.record, epochs[arrival.uid]
        if arrival.n < newest.get(key, 0):
            when = f"at {arrival.at:.3f}"
            yield f"order: {arrival.uid} of {arrival.record} came {when}, with n {arrival.n} after {newest[key]}"
        newest[key] = max(arrival.n, newest.get(key, 0))


def stale_value_kept(evidence: Evidence) -> Iterator[str]:
    """Yield the records that differ at the API from the newest delivered job, merged or not."""
    now = len(evidence.emptied)
    said: dict[Record, int] = {}
    for accepted_job in evidence.accepted_jobs:
        merge_target = evidence.merge_targets.get(accepted_job.job_id, accepted_job.job_id)
        if evidence.stored.get(merge_target) is State.DELIVERED and epoch(evidence, accepted_job) == now:
            record = accepted_job.location, PIPELINE, accepted_job.contact
            said[record] = max(accepted_job.n, said.get(record, 0))
    current = {accepted_job.uid for accepted_job in evidence.accepted_jobs if epoch(evidence, accepted_job) == now}
    stands = {
        arrival.record: arrival.n
        for arrival in sorted(evidence.arrivals, key=lambda one: one.at)
        if arrival.applied and arrival.uid in current
    }
    for record, n in said.items():
        if stands.get(record) != n:
            yield f"overwritten: {record} stands at {stands.get(record)}, but {n} was delivered"


def exceeded_windows(evidence: Evidence) -> Iterator[str]:
    """Yield the windows with more requests of a location than the limit, and the 429s that the limits gave.

    Not judged: what was sent while Redis was being emptied, and in the window after; what had been sent was forgotten.
    """
    for location, count in max_per_window(evidence).items():
        if count > evidence.limit:
            yield f"limit: {count} requests of {location} in {evidence.window:g} s; the limit is {evidence.limit}"
    rate_limited = sum(arrival.rate_limited for arrival in _remembered(evidence))
    if rate_limited:
        yield f"limit: {rate_limited} requests were answered 429 by the limits"


def max_per_window(evidence: Evidence) -> dict[str, int]:
    """Return the most requests of each location in any window, counted apart before and after Redis was emptied."""
    spans: dict[tuple[str, int], list[float]] = defaultdict(list)
    for arrival in _remembered(evidence):
        spans[arrival.record[0], sum(at <= arrival.at for at in evidence.emptied)].append(arrival.at)
    count: dict[str, int] = {}
    for (location, _), times in spans.items():
        count[location] = max(count.get(location, 0), max_in_window(times, evidence.window - EXACT))
    return dict(sorted(count.items()))


def _remembered(evidence: Evidence) -> list[Arrival]:
    begun_anew = [one for one in evidence.injected if one.emptied_at is not None]
    return [
        arrival
        for arrival in evidence.arrivals
        if not any(one.began_at <= arrival.at <= (one.emptied_at or 0) + evidence.window for one in begun_anew)
    ]


@dataclass(slots=True)
class LogThrottle:
    """Requests that were sent again, by what made that needful, and a line for each that nothing explains."""

    by_cause: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)


def explain_repeats(evidence: Evidence) -> LogThrottle:
    """Find for each repeated request what made it needful: the answer before it, or a fault that cost the answer.

    A fault costs what it may and no more; those with a bound are used up first.
    """
    found = LogThrottle()
    spent: Counter[Injected] = Counter()
    by_job: dict[tuple[str, Record], list[Arrival]] = defaultdict(list)
    for arrival in sorted(evidence.arrivals, key=lambda one: one.at):
        by_job[arrival.uid, arrival.record].append(arrival)
    costly = sorted(
        (one for one in evidence.injected if one.repeats != 0), key=lambda one: (one.repeats is None, one.repeats or 0)
    )
    for before, again in sorted(
        (pair for arrivals in by_job.values() for pair in pairwise(arrivals)), key=lambda pair: pair[1].at
    ):
        lost = before.fault is not None and before.fault not in ANSWERED
        if lost or before.status in RETRIED:
            found.by_cause[f"API: {before.fault or before.status}"] += 1
            continue
        causes = [one for one in costly if _between(one, before, again, evidence.lease)]
        cause = next((one for one in causes if one.repeats is None or spent[one] < one.repeats), None)
        if cause is None:
            why = (
                f"{causes[0].name} may cost no more than {causes[0].repeats}" if causes else "no fault cost its answer"
            )
            found.unexplained.append(
                f"sent again without need: {again.uid} at {before.at:.3f} and {again.at:.3f} ({before.status}): {why}"
            )
        else:
            spent[cause] += 1
            found.by_cause[cause.name] += 1
    return found


def _between(fault: Injected, before: Arrival, again: Arrival, lease: float) -> bool:
    """Whether a fault was in force while an answer was on its way or waited to be reported: a lease at the longest."""
    answered_then = fault.began_at - lease - SLACK_SECONDS <= before.at <= fault.ended_at + SLACK_SECONDS
    return answered_then and again.at >= fault.began_at
