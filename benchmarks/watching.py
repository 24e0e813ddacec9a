"""What an open dashboard costs a busy worker: the same drain with and without a browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from playwright.sync_api import sync_playwright

from benchmarks import commands, systems
from benchmarks.bodies import make_bodies
from benchmarks.draining import Drain, drain
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.redis_server import EVERYSEC
from ops.embedded.stack import Stack

WATCHED, ALONE = "watched", "alone"
AIM = Aim(at_most=1.05, baseline=ALONE)
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
TABS = ("/throughput", "/lanes")
SIDE = systems.lanes("lanes", commands.LANES)


def measure(plan: Plan) -> Findings:
    """Drain the same jobs alternately with and without a browser on the dashboard.

    Raises:
        BenchmarkError: there is no browser.
    """
    if shutil.which(CHROMIUM) is None:
        message = f"watching: there is no {CHROMIUM}: apt-get install chromium"
        raise BenchmarkError(message)
    bodies = make_bodies(plan.dashboard_size.watched_jobs)
    found: dict[str, list[Drain]] = {WATCHED: [], ALONE: []}
    for run in range(1, plan.runs + 1):
        for name, drains in found.items():
            progress(f"watching: run {run} of {plan.runs}: {name}, {len(bodies)} jobs")
            baseline = open_dashboard if name == WATCHED else nullcontext
            drains.append(drain(plan.folder / f"watching-{run}-{name}", SIDE, bodies, baseline))
    costs = {name: [one.milliseconds for one in drains] for name, drains in found.items()}
    rates = {name: [one.rate for one in drains] for name, drains in found.items()}
    figures = [
        Figure("watching", "CPU ms of the worker per job", costs, [AIM], EVERYSEC),
        Figure("watching", "upserts/s", rates, redis=EVERYSEC),
    ]
    return Findings(figures, {"jobs": len(bodies), "requests": [one.requests for one in found[WATCHED]]})


@contextmanager
def open_dashboard(stack: Stack) -> Iterator[None]:
    """Open the dashboard in a browser, each page in a tab of its own that refreshes itself."""
    stack.start_dashboard()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for path in TABS:
            page = browser.new_context().new_page()
            page.goto(f"{stack.flower_url}{path}")
            page.get_by_text("Live", exact=True).wait_for()
        yield
        browser.close()
