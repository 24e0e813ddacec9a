"""Takes a picture of each page, in a run with every outcome: python -m tests.worker.dashboard.screenshots [PAGE]...

Pictures go to docs/screenshots: <page>-light.png, -dark.png and -phone.png. What happened before the run, which the
charts show too, is made up.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from lanes.storage.stored import MICROSECONDS
from ops.embedded.stack import Stack
from tests import real_parts
from tests.helpers import row
from tests.worker.dashboard.conftest import ARGUMENTS, DESKTOP, PHONE, Site
from tests.worker.dashboard.dead_letters.sample_dead_letters import dead_letter, seed
from tests.worker.dashboard.every_outcome import SANDBOX, SETTINGS, run_every_outcome, settled

FOLDER = Path(__file__).parents[3] / "docs" / "screenshots"

# Page -> its address on a site where `run_every_outcome` was.
PAGES: dict[str, Callable[[Site], str]] = {
    "throughput": lambda _: "/throughput",
    "lanes": lambda _: "/lanes",
    "lane": lambda _: "/lane/loc-3",
    "job": lambda site: f"/job/{job_with_history(site)}",
    "audit-log": lambda _: "/audit-log",
    "dead-letters": lambda site: seed_dead_letters(site, "/dead-letters?within=12h"),
    "dead-letters-groups": lambda site: seed_dead_letters(site, "/dead-letters?view=groups"),
    "dead-letters-replay": lambda site: seed_dead_letters(site, "/dead-letters?size=25"),
    "dead-letter": lambda site: seed_dead_letters(site, "/dead-letter/job000002"),
    "dead-letter-edit": lambda site: seed_dead_letters(site, "/dead-letter/job000000/edit"),
}


def replay_some(page: Page) -> None:
    """Open the question of a replay."""
    page.get_by_role("button", name="Choose this page").click()
    page.get_by_role("button", name="Replay…").click()
    page.locator("dialog.lanes-ask[open]").get_by_role("button", name="Replay").wait_for()


def edit_wrongly(page: Page) -> None:
    """Open the body, and show a field error."""
    page.get_by_role("button", name="Show content and edit").click()
    page.locator("#cell-status").fill("wonn")
    page.get_by_role("button", name="Save…").click()
    page.locator("#problem-status").wait_for()
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")


# What is done on a page before its picture is taken.
STEPS: dict[str, Callable[[Page], None]] = {"dead-letters-replay": replay_some, "dead-letter-edit": edit_wrongly}
# Of these, what the screen shows, not the whole length.
ONE_SCREEN = ("dead-letters", "dead-letters-replay")

LOOKS: dict[str, dict[str, object]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "device_scale_factor": 2},
}


def job_with_history(site: Site) -> str:
    """Return the id of the job with the longest history."""
    ids = (
        key.decode().removeprefix(site.store.key(kind, ""))
        for kind in ("job", "done")
        for key in site.store.client.scan_iter(site.store.key(kind, "*"))
    )
    jobs = (job for job in map(site.store.job, ids) if job is not None and job.merged_into is None)
    return max(jobs, key=lambda job: (len(job.attempts), job.id)).id


def take(browser: Browser, site: Site, name: str) -> None:
    """Take the pictures of a page."""
    for look, options in LOOKS.items():
        with browser.new_context(**options) as context:  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(site.url + PAGES[name](site))
            if page.locator("#live-text").count():
                page.get_by_text("Live", exact=True).wait_for()
            if step := STEPS.get(name):
                step(page)
            page.wait_for_timeout(300)  # charts are drawn in the next frame
            page.screenshot(path=FOLDER / f"{name}-{look}.png", full_page=name not in ONE_SCREEN)


def seed_dead_letters(site: Site, address: str) -> str:
    """See that there are some hundred dead letters; return the address."""
    if not site.store.job("job000000"):
        site.store.restore(dead_letter(0, name="New kitchen", status="open", monetaryValue=4200))
        seed(site.store, range(1, 400))
    return address


def seed_series(site: Site) -> None:
    """Write a day and an hour of series, as the scripts would have: busy by day, with a bad half hour."""
    now = int(time.time())
    for name, step, seconds in (("recent", 10, 3600), ("history", 300, 86_400)):
        pipe = site.store.client.pipeline()
        for at in range((now - seconds) // step * step, now // step * step, step):
            pace = 14 + 9 * math.sin(at / (seconds / 11)) + 3 * math.sin(at / (seconds / 70))
            bad = 0.45 < (now - at) / seconds < 0.55
            key = site.store.key(name, str(at * MICROSECONDS))
            counts = {"retried": pace * step * (0.3 if bad else 0.01), "dead": step * 0.05, "accepted": pace * step}
            counts["delivered"] = counts["accepted"] * (0.6 if bad else 1)
            counts["throttled"] = step * 0.4 * (at // step % 7 == 0)
            for bucket, share in ((28, 0.5), (31, 0.35), (36, 0.12), (44, 0.03)):
                counts[f"w{bucket}"] = pace * step * share * (0.6 if bad else 1)
                counts[f"a{bucket - 2}"] = counts[f"w{bucket}"]
            pipe.hset(key, mapping={field: round(count) for field, count in counts.items()})
        pipe.execute()


def main() -> None:
    """Take all pictures, or those of the pages that the command line names."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    settings = {f"LANES_{name.upper()}": str(value) for name, value in SETTINGS.items()}
    with ExitStack() as ends:
        stack = ends.enter_context(Stack(Path(tempfile.mkdtemp(prefix="lanes-pictures-")), settings))
        stack.start_redis()
        stack.start_sandbox(*SANDBOX)
        stack.start_dashboard()
        stack.start_worker()
        site = Site(stack, "", ends)
        seed_series(site)
        run_every_outcome(site, busy=300)
        # The series show something once a few steps of ten seconds are over.
        stack.until(lambda: settled(site), *stack.children)
        for number in range(2000):
            site.producer.enqueue(row(f"loc-{number % 4}", f"contact-{number}"))
        browser = ends.enter_context(sync_playwright()).chromium.launch(
            executable_path=real_parts.chromium(), args=list(ARGUMENTS)
        )
        page = browser.new_page()
        page.goto(f"{site.url}/throughput")
        page.get_by_text("jobs at once").wait_for()  # the workers have reported how many jobs they can send
        for name in sys.argv[1:] or PAGES:
            take(browser, site, name)
            print(FOLDER / f"{name}-*.png")
        browser.close()


if __name__ == "__main__":
    main()
