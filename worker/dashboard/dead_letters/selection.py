"""Which dead letters a request selects."""

from collections.abc import Iterator, Mapping
from typing import Any

from tornado.web import HTTPError

from lanes.dead_letters import operations
from lanes.dead_letters.filter import find_in_batches
from lanes.dead_letters.operations import STEP
from lanes.printable import printable
from lanes.queue.job import Job
from lanes.queue.store import LaneStore
from worker.dashboard.dead_letters.bulk_runs import Selection
from worker.dashboard.dead_letters.query import DeadLetterQuery
from worker.dashboard.dead_letters.views import DeadLetterViews

MAX_IDS = 1000
MAX_ID = 255


def selection_of(store: LaneStore, views: DeadLetterViews, given: Mapping[str, Any]) -> tuple[Selection, int]:
    """Return what `ids` or `query` selects, and how many dead letters that are. Waits for Redis.

    Raises:
        HTTPError: both are missing, or invalid.
    """
    until = operations.until_now(store)
    ids, query = given.get("ids"), given.get("query")
    if isinstance(ids, list) and ids and len(ids) <= MAX_IDS:
        if not all(isinstance(job_id, str) and 0 < len(job_id) <= MAX_ID for job_id in ids):
            raise HTTPError(400, "ids: must be texts")
        named = tuple(dict.fromkeys(ids))
        shown = ", ".join(printable(job_id) for job_id in named[:3])
        more = f" and {len(named) - 3:,} more" if len(named) > 3 else ""
        return Selection(shown + more, until, job_ids=named), len(named)
    if isinstance(query, dict) and all(isinstance(value, str) for value in query.values()):
        dead_letter_query = DeadLetterQuery.read(query)
        if dead_letter_query.problems:
            raise HTTPError(400, "; ".join(dead_letter_query.problems))
        chosen = dead_letter_query.dead_letter_filter
        found = views.letters(views.index.current(), chosen, dead_letter_query.open_span(until.until))
        return Selection(str(dead_letter_query), dead_letter_query.time_range(until.until), chosen), len(found)
    raise HTTPError(400, f"ids: must be a list of 1 to {MAX_IDS} ids; or query: must be the filters")


def read_selected(store: LaneStore, selection: Selection) -> Iterator[list[Job]]:
    """Yield the dead letters of a selection in batches, with their bodies."""
    if not selection.job_ids:
        yield from find_in_batches(store, selection.dead_letter_filter, selection.time_range)
        return
    for start in range(0, len(selection.job_ids), STEP):
        found = store.read_jobs(selection.job_ids[start : start + STEP])
        yield [job for job in found if job is not None and job.is_dead_letter]
