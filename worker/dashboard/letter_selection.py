"""Which dead letters a request is about."""

from collections.abc import Iterator, Mapping
from typing import Any

from tornado.web import HTTPError

from lanes import letters
from lanes.job import Job
from lanes.letter_choice import choose_in_batches
from lanes.letters import STEP
from lanes.printable import printable
from lanes.store import LaneStore
from worker.dashboard.letter_runs import Selection
from worker.dashboard.letter_views import Wanted
from worker.dashboard.letters_desk import Desk

MOST_NAMED = 1000  # letters that are chosen one by one
MOST_ID = 255


def selection_of(store: LaneStore, desk: Desk, given: Mapping[str, Any]) -> tuple[Selection, int]:
    """Return which letters are meant by `ids` or `query`, and how many they are. Waits for Redis.

    Raises:
        HTTPError: neither is there, or it is not understood.
    """
    until = letters.until_now(store)
    ids, query = given.get("ids"), given.get("query")
    if isinstance(ids, list) and ids and len(ids) <= MOST_NAMED:
        if not all(isinstance(job_id, str) and 0 < len(job_id) <= MOST_ID for job_id in ids):
            raise HTTPError(400, "ids: must be texts")
        named = tuple(dict.fromkeys(ids))
        shown = ", ".join(printable(job_id) for job_id in named[:3])
        more = f" and {len(named) - 3:,} more" if len(named) > 3 else ""
        return Selection(shown + more, until, job_ids=named), len(named)
    if isinstance(query, dict) and all(isinstance(value, str) for value in query.values()):
        wanted = Wanted.read(query)
        if wanted.problems:
            raise HTTPError(400, "; ".join(wanted.problems))
        found = desk.letters(desk.index.look(), wanted.choice, wanted.open_span(until.until))
        return Selection(str(wanted), wanted.span(until.until), wanted.choice), len(found)
    raise HTTPError(400, f"ids: must be a list of 1 to {MOST_NAMED}; or query: the filters")


def read_whole(store: LaneStore, selection: Selection) -> Iterator[list[Job]]:
    """Go through the letters of a selection in batches, each whole."""
    if not selection.job_ids:
        yield from choose_in_batches(store, selection.choice, selection.span)
        return
    for start in range(0, len(selection.job_ids), STEP):
        found = store.read_jobs(selection.job_ids[start : start + STEP])
        yield [job for job in found if job is not None and job.is_letter]
