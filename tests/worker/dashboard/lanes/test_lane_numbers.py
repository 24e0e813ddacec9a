"""After a run with every outcome: the pages say what `lanes status --json` says and what the sandbox counted, and the
story of each job is the one that it had.
"""

import json
import subprocess
import sys
import time
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from ops.sandbox import SandboxControl
from tests.helpers import until
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site
from tests.worker.dashboard.every_outcome import SANDBOX, SETTINGS, run_every_outcome, wait_until_settled


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    site = make_site(sandbox=SANDBOX, worker=True, **SETTINGS)
    run_every_outcome(site)
    wait_until_settled(site)
    return site


def status(site: Site) -> dict[str, Any]:
    command = [sys.executable, "-m", "ops.command", "status", "--json"]
    run = subprocess.run(command, env=site.stack.environ, cwd=site.stack.folder, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def table(site: Site) -> dict[str, Any]:
    """Return the table as the page gets it, read after now."""
    now = time.time()

    def look() -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{site.url}/lanes/data", params={"rows": "200"}, timeout=10).json()
        return found if found["at"] > now else {}

    until(look, "a picture of now")
    return look()


def histories_of(site: Site, location: str | None = None) -> list[dict[str, Any]]:
    """Return what the pages get of every job."""
    prefixes = [site.store.key(kind, "") for kind in ("job", "done")]
    ids = [
        key.decode().removeprefix(prefix)
        for prefix in prefixes
        for key in site.store.client.scan_iter(match=f"{prefix}*")
    ]
    found = [requests.get(f"{site.url}/jobs/data", params={"id": job_id}, timeout=10).json() for job_id in ids]
    return [story for story in found if location in (None, story["job"]["location_id"])]


def test_the_table_is_what_the_command_says(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/lanes?sort=location").page
    expect(page.locator("#lanes-table tbody tr").first).to_be_visible()
    found, said = table(site), status(site)
    assert {lane["location"] for lane in found["lanes"]} == {lane["location_id"] for lane in said["locations"]}
    for lane in said["locations"]:
        row = next(row for row in found["lanes"] if row["location"] == lane["location_id"])
        for name in ("accepted", "pending", "in_flight", "delivered", "merged", "cancelled", "hold", "held_by"):
            assert row[name] == lane[name], (lane["location_id"], name)
        assert row["dead"] == lane["dead"] + lane["expired"]
        assert row["day"]["used"] == lane["day_used"]
        shown = page.locator(
            "#lanes-table tbody tr", has=page.get_by_role("link", name=lane["location_id"], exact=True)
        )
        for column, name in enumerate(("pending", "in_flight", "delivered")):
            expect(shown.locator("td").nth(column)).to_have_text(f"{lane[name]:,}")
    for name in ("pending", "in_flight", "delivered"):
        assert found["totals"][name] == said[name]
        expect(page.locator(f"#total-{name}")).to_have_text(f"{said[name]:,}")
    assert found["totals"]["dead"] == said["dead"] + said["expired"]


def test_deliveries_and_requests_are_those_that_the_sandbox_counted(site: Site) -> None:
    summary = SandboxControl(site.stack.sandbox_url).summary()
    found = table(site)
    assert found["totals"]["delivered"] == summary["succeeded"]
    for lane in found["lanes"]:
        requests_ = summary["locations"].get(lane["location"], {"requests": 0})["requests"]
        stories = [story for story in histories_of(site, lane["location"]) if story["job"]["merged_into"] is None]
        words = [event["words"] for story in stories for event in story["history"]]
        assert sum(word.startswith("attempt ") for word in words) == requests_
        # Answers out of order report more requests than ours so far: the day's count is never below theirs.
        assert lane["day"]["used"] >= requests_


def test_every_job_has_its_history(site: Site) -> None:
    kinds = set()
    for story in histories_of(site):
        job = site.store.job(story["job"]["id"])
        assert job is not None
        words = [event["words"] for event in story["history"]]
        assert words[0] == "accepted"
        assert sum(word.startswith("attempt ") for word in words) == len(job.attempts)
        assert bool(story["waits"]) == (job.state.value == "pending")
        kinds |= {word.split(":")[word.startswith("attempt")].strip() for word in words}
        for attempt in job.attempts:
            assert any(["trace id", attempt.detail["trace_id"]] in event["facts"] for event in story["history"])
    assert {"accepted", "delivered", "refused by the API", "failed with a transient error", "backoff"} <= kinds
    assert {"throttled", "refused", "a dead letter, after", "cancelled, after"} <= kinds
    assert "merged into the job that delivers it" in kinds


def test_the_job_and_the_task_of_flower_link_to_each_other(site: Site, open_page: OpenPage) -> None:
    jobs = [story["job"] for story in histories_of(site, "loc-busy")]
    delivered = next(job["id"] for job in jobs if job["state"] == "delivered")
    page = open_page(f"{site.url}/job/{delivered}").page
    page.get_by_role("link", name="Task in Flower").click()
    expect(page).to_have_url(f"{site.url}/task/{delivered}")
    page.get_by_role("link", name="History of this job").click()
    expect(page).to_have_url(f"{site.url}/job/{delivered}")
    expect(page.locator("#state")).to_have_text("delivered")
