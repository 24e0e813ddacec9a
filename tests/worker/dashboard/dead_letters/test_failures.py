"""The dead letters pages during failures: Redis in a replay or an export, or the dashboard itself."""

import json

import pytest
import requests
from playwright.sync_api import expect

from lanes.activity import audit_log
from lanes.checks.consistency import check_consistency
from tests.helpers import until
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site
from tests.worker.dashboard.dead_letters.sample_dead_letters import seed

MANY = 12_000


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    site = make_site()
    seed(site.store, range(MANY))
    return site


def test_redis_is_killed_in_a_bulk_replay_and_the_page_waits_for_it(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/dead-letters").page
    page.get_by_text("12,000 of 12,000 dead letters").wait_for()
    page.get_by_role("button", name="Choose all that match").click()
    page.get_by_role("button", name="Replay…").click()
    page.get_by_role("heading", name="Replay 12,000 dead letters?").wait_for()
    page.locator("dialog[open]").get_by_role("button", name="Replay").click()
    until(lambda: site.store.counts()["pending"] > 0, "the replay to be on its way")
    site.stack.redis.kill()
    page.get_by_text("Redis does not answer", exact=True).wait_for()
    site.stack.redis.start()
    until(lambda: site.store.counts()["pending"] == MANY, "the rest of the replay")
    expect(page.locator("#runs")).to_contain_text("replayed 12,000 of 12,000 dead letters, ended", timeout=60_000)
    page.get_by_text("Live", exact=True).wait_for()
    assert list(check_consistency(site.store)) == []
    assert [each.what for each in audit_log.read(site.store)] == ["replay", "replay"]


def test_a_dashboard_killed_in_a_bulk_replay_leaves_whole_dead_letters_and_the_audit_log(site: Site) -> None:
    session = requests.Session()
    session.get(f"{site.url}/dead-letters", timeout=30)
    headers = {"X-XSRFToken": session.cookies["_xsrf"]}

    def start(**values: object) -> str:
        answer = session.post(f"{site.url}/dead-letters/runs", json=values, headers=headers, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def state(run: str) -> str:
        return str(session.get(f"{site.url}/dead-letters/runs/{run}/data", timeout=30).json()["state"])

    dry_run = start(verb="replay", query={"reason": "refused"})
    until(lambda: state(dry_run) == "done", "the dry run")
    start(of=dry_run)
    until(lambda: site.store.counts()["pending"], "the replay to be on its way")
    site.stack.children[-1].kill()
    counts = site.store.counts()
    assert counts["pending"] + counts["dead"] + counts["expired"] == MANY
    assert list(check_consistency(site.store)) == []
    asked = audit_log.read(site.store)[-1]
    assert (asked.what, asked.on) == ("replay", "dead letters with reason refused")
    assert asked.detail.startswith("6,000 that failed until ")


def test_an_export_that_breaks_off_does_not_look_whole(site: Site) -> None:
    session = requests.Session()
    session.get(f"{site.url}/dead-letters", timeout=30)
    form = {"_xsrf": session.cookies["_xsrf"], "given": json.dumps({"query": {}, "format": "jsonl"})}
    with session.post(f"{site.url}/dead-letters/export", data=form, stream=True, timeout=30) as answer:
        assert answer.status_code == 200
        chunks = answer.iter_content(1000)
        next(chunks)
        # The rest waits for us to read, as far as it is not in the buffers between.
        site.stack.redis.kill()
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
            list(chunks)
    site.stack.redis.start()
