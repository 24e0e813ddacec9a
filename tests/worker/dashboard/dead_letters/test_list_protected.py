"""Dead letters are changed only with a login and a CSRF token, and never in read-only mode."""

import pytest
import requests
from playwright.sync_api import expect

from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site
from tests.worker.dashboard.dead_letters.list_page import AUTH, entries, open_dead_letters
from tests.worker.dashboard.dead_letters.sample_dead_letters import seed


def test_nothing_is_changed_without_password_or_token(site: Site) -> None:
    session = requests.Session()
    for path in ("/dead-letters", "/dead-letters/data", "/dead-letter/job000001", "/dead-letter/job000001/edit"):
        assert session.get(site.url + path, timeout=30).status_code in (401, 403)
    session.auth = AUTH
    assert session.get(f"{site.url}/dead-letters", timeout=30).status_code == 200
    token = session.cookies["_xsrf"]
    for path, values in POSTS.items():
        assert session.post(site.url + path, json=values, timeout=30).status_code == 403, path
        elsewhere = {"X-XSRFToken": token, "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert session.post(site.url + path, json=values, headers=elsewhere, timeout=30).status_code == 403, path
        wrong = requests.post(
            site.url + path, json=values, headers={"X-XSRFToken": token, "Cookie": f"_xsrf={token}"}, timeout=30
        )
        assert wrong.status_code in (401, 403), path
    assert entries(site) == []
    assert site.store.counts()["pending"] == 0


POSTS: dict[str, dict[str, object]] = {
    "/dead-letters/runs": {"verb": "replay", "ids": ["job000002"]},
    "/dead-letters/runs/abc/stop": {},
    "/dead-letters/export": {"ids": ["job000002"], "format": "jsonl"},
    "/dead-letter/job000002/open": {},
    "/dead-letter/job000002/change": {"read": "x", "text": "{}"},
    "/jobs/reveal": {"id": "job000002"},
}


@pytest.mark.parametrize(
    ("values", "status", "reported"),
    [
        ({"verb": "replay"}, 400, "ids: must be a list"),
        ({"verb": "replay", "ids": []}, 400, "ids: must be a list"),
        ({"verb": "replay", "ids": [1]}, 400, "ids: must be texts"),
        ({"verb": "replay", "ids": ["x"] * 1001}, 400, "ids: must be a list of 1 to 1000"),
        ({"verb": "replay", "query": {"status": "x"}}, 400, "status: must be a number"),
        ({"verb": "replay", "query": {"status": 1}}, 400, "ids: must be a list"),
        ({"verb": "burn", "ids": ["x"]}, 400, "verb: must be replay or purge"),
        ({"of": "nothing"}, 409, "do a dry run first"),
    ],
)
def test_a_wrong_request_is_reported(made: Site, values: dict[str, object], status: int, reported: str) -> None:
    session = requests.Session()
    session.auth = AUTH
    session.get(f"{made.url}/dead-letters", timeout=30)
    headers = {"X-XSRFToken": session.cookies["_xsrf"]}
    answer = session.post(f"{made.url}/dead-letters/runs", json=values, headers=headers, timeout=30)
    assert (answer.status_code, reported in answer.json()["error"]) == (status, True), answer.text


def test_read_only_shows_and_changes_nothing(make_site: MakeSite, open_page: OpenPage) -> None:
    site = make_site("--read_only", password=True)
    seed(site.store, range(3))
    page = open_dead_letters(open_page, site)
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.get_by_role("link", name="job000002").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("job000002")
    for text in ("Replay…", "Purge…", "Export…", "Show content"):
        expect(page.get_by_role("button", name=text)).to_have_count(0)
    page.goto(f"{site.url}/dead-letter/job000002/edit")
    expect(page.get_by_role("button", name="Show content and edit")).to_have_count(0)
    session = requests.Session()
    session.auth = AUTH
    session.get(f"{site.url}/dead-letters", timeout=30)
    for path, values in POSTS.items():
        headers = {"X-XSRFToken": session.cookies["_xsrf"]}
        answer = session.post(site.url + path, json=values, headers=headers, timeout=30)
        assert (answer.status_code, "read-only" in answer.text) == (403, True), path
    assert entries(site) == []
