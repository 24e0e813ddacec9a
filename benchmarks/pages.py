"""How long the pages of the dashboard take to answer, with many lanes and many dead letters."""

import time
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlencode

import requests

from benchmarks.bodies import stream_bodies
from benchmarks.charts import Chart, distribution
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import DashboardSize, Plan, progress
from lanes.dead_letters import operations
from lanes.queue.connecting import connect
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Attempt, Reason
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from producers import OpportunityProducer
from producers.new_job import make_new_job

AIM = Aim(at_most=0.5)
BATCH = 500
TIMEOUT_SECONDS = 60.0
SECONDS_BETWEEN_DEATHS = 0.5
# Another filter at each look, so that no view is remembered.
ANEW = "from=1970-01-01T00:00:{look:02d}"


def addresses(location: str, pending: str, dead: str) -> dict[str, str]:
    """Return what is asked for: a name, and the path of a page or of its data."""
    return {
        "throughput": "/throughput/data",
        "lanes": "/lanes",
        "lanes, the table": "/lanes/data",
        "lanes, searched and sorted": "/lanes/data?"
        + urlencode({"search": location[:1], "sort": "oldest", "rows": 200}),
        "a lane": "/lanes/lane/data?" + urlencode({"location": location}),
        "a lane, its day": "/lanes/series/data?" + urlencode({"location": location}),
        "a job": "/jobs/data?" + urlencode({"id": pending}),
        "a dead letter": "/jobs/data?" + urlencode({"id": dead}),
        "dead letters": "/dead-letters",
        "dead letters, far behind": "/dead-letters?page=1000",
        "dead letters, sorted anew": f"/dead-letters?sort=location&{ANEW}",
        "dead letters, filtered anew": f"/dead-letters?message=PIPELINE&{ANEW}",
        "dead letters, grouped anew": f"/dead-letters?view=groups&{ANEW}",
        "a dead letter, to be sent again": f"/dead-letter/{dead}",
    }


def measure(plan: Plan) -> Findings:
    """Fill Redis once, then request each page repeatedly, as a logged-in browser does."""
    dashboard_size = plan.dashboard_size
    with Stack(plan.folder / "pages") as stack:
        stack.start_redis()
        with OpportunityProducer.from_settings(stack.load_settings()) as producer, connect(stack.redis.url) as client:
            progress(f"pages: {dashboard_size.lanes} lanes, {dashboard_size.dead_letters} dead letters")
            store = LaneStore(client)
            report = producer.enqueue_many(stream_bodies(dashboard_size.lanes, dashboard_size.lanes))
            dead = bury(store, dashboard_size)
            job = store.job(report.job_ids[0])
            if job is None or store.counts()["dead"] != dashboard_size.dead_letters:
                message = f"pages: {store.counts()}, which is not what was put in"
                raise BenchmarkError(message)
            stack.start_dashboard()
            asked = addresses(job.location_id, job.id, dead)
            reading = read_dead_letters(stack.flower_url)
            seconds = time_requests(stack.flower_url, asked, dashboard_size.requests_per_page)
    figures = [Figure("pages", f"seconds: {name}", {"lanes": times}, [AIM]) for name, times in seconds.items()]
    figures.append(Figure("pages", "seconds: all dead letters read for the first time", {"lanes": [reading]}))
    curves = [distribution(name, times) for name, times in seconds.items()]
    chart = Chart("Answers of the pages", "seconds", "percent", curves, marks=[(AIM.at_most or 0, "aim")])
    return Findings(figures, {"lanes": dashboard_size.lanes, "letters": dashboard_size.dead_letters}, [chart])


def read_dead_letters(url: str) -> float:
    """Return the seconds until the dashboard knows all dead letters; its pages answer meanwhile with those it knows."""
    began = time.monotonic()
    while not requests.get(f"{url}/dead-letters/data", timeout=TIMEOUT_SECONDS).json()["complete"]:
        time.sleep(0.1)
    return time.monotonic() - began


def time_requests(url: str, asked: dict[str, str], requests_per_page: int) -> dict[str, list[float]]:
    """Return the seconds of each answer; the first of each is not counted.

    Raises:
        BenchmarkError: one did not come.
    """
    seconds: dict[str, list[float]] = {name: [] for name in asked}
    with requests.Session() as session:
        for number in range(requests_per_page + 1):
            for name, path in asked.items():
                began = time.monotonic()
                answer = session.get(f"{url}{path.format(look=number % 60)}", timeout=TIMEOUT_SECONDS)
                if answer.status_code != 200:
                    message = f"pages: {path} answered {answer.status_code}"
                    raise BenchmarkError(message)
                if number:
                    seconds[name].append(time.monotonic() - began)
    return seconds


def bury(store: LaneStore, dashboard_size: DashboardSize) -> str:
    """Make dead letters, spread over the lanes; return the id of the newest."""
    now = store.time()
    made = _dead_letters(dashboard_size, now)
    newest = ""
    while some := list(islice(made, BATCH)):
        operations.restore(store, some)
        newest = some[-1].new_job.id
    return newest


def _dead_letters(dashboard_size: DashboardSize, now: float) -> Iterator[DeadLetter]:
    detail = {
        "status": 400,
        "message": "The pipeline id is invalid.",
        "trace_id": "t-400",
        "seconds": 0.2,
        "worker": "w@h",
    }
    for number, body in enumerate(stream_bodies(dashboard_size.dead_letters, dashboard_size.lanes)):
        failed_at = now - (dashboard_size.dead_letters - number) * SECONDS_BETWEEN_DEATHS
        attempt = Attempt(1, Reason.REFUSED, failed_at - 0.2, failed_at, detail)
        yield DeadLetter(make_new_job(body), Reason.REFUSED, failed_at - 1, failed_at, (attempt,))
