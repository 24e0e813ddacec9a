"""Every change of lanes and jobs: never without a login, the token against forged requests, and never read-only."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from lanes.activity import audit_log
from tests.worker.dashboard.conftest import PASSWORD, MakeSite, OpenPage, Site
from tests.worker.dashboard.sample_jobs import SECRET, enqueue_pending, in_an_hour

LOGIN = (PASSWORD["username"], PASSWORD["password"])
CHANGES: dict[str, dict[str, Any]] = {
    "lanes/hold-all": {"reason": "why"},
    "lanes/resume-all": {},
    "lanes/hold": {"location": "lane", "reason": "why"},
    "lanes/resume": {"location": "held"},
    "lanes/resume-held": {},
    "lanes/limit": {"location": "lane", "burst": 5},
    "lanes/end-brake": {"location": "lane"},
    "lanes/end-brake-of-all": {},
    "jobs/reveal": {},
    "jobs/cancel": {},
}
# But for those that first look whether all are stopped.
READERS = [path for path in CHANGES if path not in ("lanes/resume-all", "lanes/end-brake-of-all")]
DATA = (
    "lanes/data",
    "lanes/held/data",
    "lanes/lane/data?location=lane",
    "lanes/series/data?location=lane",
    "jobs/data?id={job}",
)
PAGES = ("lanes", "lane/lane", "job/{job}", "job?id={job}")


@dataclass
class ProtectedSite:
    """A site with a job, and what its state was."""

    site: Site
    job_id: str = field(init=False)
    held_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.job_id = enqueue_pending(self.site, "lane", not_before=in_an_hour())
        enqueue_pending(self.site, "held")
        self.site.store.hold("held", "why", "ada")
        self.held_at = self.site.store.read_lanes(["held"])[0].held_at or 0

    def state(self) -> Any:
        store = self.site.store
        return store.lanes(), store.counts(), store.global_state(), audit_log.read(store), store.job(self.job_id)

    def post(self, path: str, session: requests.Session, **how: Any) -> requests.Response:
        more: dict[str, Any] = {"id": self.job_id} if "jobs" in path else {}
        if path == "lanes/resume":
            more = {"held_at": self.held_at}
        if path == "lanes/resume-held":
            more = {"lanes": [{"location": "held", "since": self.held_at}]}
        return session.post(f"{self.site.url}/{path}", json={**CHANGES[path], **more}, timeout=10, **how)


@pytest.fixture(scope="module")
def behind_password(make_site: MakeSite) -> ProtectedSite:
    return ProtectedSite(make_site(prefix="flower", password=True))


@pytest.fixture(scope="module")
def read_only(make_site: MakeSite) -> ProtectedSite:
    return ProtectedSite(make_site("--read_only"))


def session_of(protected_site: ProtectedSite, *, login: bool = True) -> requests.Session:
    """Return a session as a browser has one: logged in, with the cookie of a page."""
    session = requests.Session()
    session.auth = LOGIN if login else None
    session.get(f"{protected_site.site.url}/lanes", timeout=10)
    return session


def without_age(state: Any) -> str:
    """Return a state without what changes on its own."""
    lanes, *rest = state
    return repr(([(lane.location_id, lane.counts, lane.hold, lane.burst) for lane in lanes], rest))


@pytest.mark.parametrize("path", CHANGES)
def test_no_change_without_its_token_or_from_another_site(behind_password: ProtectedSite, path: str) -> None:
    session = session_of(behind_password)
    before = without_age(behind_password.state())
    token = session.cookies["_xsrf"]
    assert behind_password.post(path, session).status_code == 403
    assert behind_password.post(path, session, headers={"X-XSRFToken": "wrong"}).status_code == 403
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert behind_password.post(path, session, headers={"X-XSRFToken": token, **headers}).status_code == 403
    assert session.get(f"{behind_password.site.url}/{path}", timeout=10).status_code == 405
    assert without_age(behind_password.state()) == before


@pytest.mark.parametrize("path", CHANGES)
def test_no_change_without_a_login(behind_password: ProtectedSite, path: str) -> None:
    stranger = session_of(behind_password, login=False)
    before = without_age(behind_password.state())
    token = session_of(behind_password).cookies["_xsrf"]
    headers = {"X-XSRFToken": token, "Cookie": f"_xsrf={token}"}
    answer = behind_password.post(path, stranger, headers=headers)
    assert answer.status_code in (401, 403)
    assert SECRET not in answer.text
    assert without_age(behind_password.state()) == before


@pytest.mark.parametrize("path", CHANGES)
def test_no_change_where_no_entry_can_be_written(behind_password: ProtectedSite, path: str) -> None:
    session, store = session_of(behind_password), behind_password.site.store
    before = without_age(behind_password.state())
    name = store.key("audit_log")
    entries: Any = store.client.dump(name)
    store.client.set(name, "no audit log")
    try:
        answer = behind_password.post(path, session, headers={"X-XSRFToken": session.cookies["_xsrf"]})
    finally:
        store.client.delete(name)
        if entries:
            store.client.restore(name, 0, entries)
    assert not answer.ok
    assert SECRET not in answer.text
    assert without_age(behind_password.state()) == before


@pytest.mark.parametrize("path", [*DATA, *PAGES])
def test_nothing_is_shown_without_a_login(behind_password: ProtectedSite, path: str) -> None:
    url = f"{behind_password.site.url}/{path.format(job=behind_password.job_id)}"
    for login in (None, ("ana", "wrong")):
        answer = requests.get(url, auth=login, timeout=10)
        assert answer.status_code in (401, 403)
        assert "held" not in answer.text
    assert requests.get(url, auth=LOGIN, timeout=10).status_code == 200


@pytest.mark.parametrize("path", CHANGES)
def test_read_only_takes_no_change(read_only: ProtectedSite, path: str) -> None:
    session = session_of(read_only, login=False)
    before = without_age(read_only.state())
    answer = read_only.post(path, session, headers={"X-XSRFToken": session.cookies["_xsrf"]})
    assert (answer.status_code, answer.json()["error"]) == (403, "this dashboard is read-only")
    assert without_age(read_only.state()) == before


def test_read_only_pages_have_no_buttons_that_change(read_only: ProtectedSite, open_page: OpenPage) -> None:
    for path in ("lanes", "lane/lane", f"job/{read_only.job_id}"):
        page = open_page(f"{read_only.site.url}/{path}").page
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        names = page.locator("main button:visible").all_inner_texts()
        assert not [name for name in names if name.split(" ")[0] in ("Hold", "Resume", "Set", "Cancel")]
        assert (
            page.locator(
                "#hold-all, #resume-all, #resume-held, #hold, #resume, #end-brake, #limit, #reset, #cancel, #reveal"
            ).count()
            == 0
        )


def test_below_a_prefix_behind_a_password_everything_works(behind_password: ProtectedSite, open_page: OpenPage) -> None:
    site = behind_password.site
    page = open_page(f"{site.url}/lanes").page
    page.get_by_role("link", name="lane", exact=True).click()
    expect(page).to_have_url(f"{site.url}/lane/lane")
    page.get_by_role("button", name="Hold", exact=True).click()
    page.get_by_label("Why").fill("by ana")
    page.keyboard.press("Enter")
    expect(page.locator("#stops")).to_contain_text("by ana: by ana")
    assert (audit_log.read(site.store, 1)[0].who, site.store.read_lanes(["lane"])[0].held_by) == ("ana", "ana")
    page.get_by_role("button", name="Resume").click()
    page.keyboard.press("Enter")
    expect(page.locator("#stops")).to_have_text("")
    page.get_by_role("link", name=behind_password.job_id).click()
    page.get_by_role("button", name="Show content").click()
    page.keyboard.press("Enter")
    expect(page.locator("#body")).to_contain_text(SECRET)
    page.get_by_role("link", name="Lanes", exact=True).first.click()
    expect(page).to_have_url(f"{site.url}/lanes")


@pytest.mark.parametrize(
    ("path", "given", "status"),
    [
        ("lanes/hold", {"location": "lane"}, 400),
        ("lanes/hold", {"location": "lane", "reason": "  "}, 400),
        ("lanes/hold", {"location": "lane", "reason": "alert \a"}, 400),
        ("lanes/hold", {"location": "lane", "reason": "x" * 501}, 400),
        ("lanes/hold", {"location": "lane", "reason": ["x"]}, 400),
        ("lanes/hold", {"location": "nobody", "reason": "x"}, 404),
        ("lanes/hold", {"reason": "x"}, 400),
        ("lanes/hold-all", {}, 400),
        ("lanes/resume", {"location": "lane"}, 409),
        ("lanes/resume", {"location": "held", "held_at": 1}, 409),
        ("lanes/resume-all", {"held_at": None}, 409),
        ("lanes/resume-held", {}, 400),
        ("lanes/resume-held", {"lanes": []}, 400),
        ("lanes/resume-held", {"lanes": ["held"]}, 400),
        ("lanes/resume-held", {"lanes": [{"location": "held"}]}, 400),
        ("lanes/resume-held", {"lanes": [{"location": "held", "since": True}]}, 400),
        ("lanes/resume-held", {"lanes": [{"location": "held", "since": 1e300}]}, 400),
        ("lanes/resume-held", {"lanes": [{"location": "held", "since": 1}] * 201}, 400),
        ("lanes/resume-held", {"lanes": [{"location": 7, "since": 1}]}, 400),
        ("lanes/limit", {"location": "lane", "burst": 0}, 400),
        ("lanes/limit", {"location": "lane", "burst": "1e3"}, 400),
        ("lanes/limit", {"location": "lane", "daily": 10**9 + 1}, 400),
        ("lanes/limit", {"location": "lane", "weight": 101}, 400),
        ("lanes/limit", {"location": "nobody", "weight": 1}, 404),
        ("jobs/cancel", {"id": "nobody"}, 404),
        ("jobs/cancel", {"id": 7}, 400),
        ("jobs/reveal", {}, 400),
        # Half a character, which is JSON but fits into no key.
        ("jobs/reveal", {"id": "\ud800"}, 400),
        ("jobs/cancel", {"id": "\udc00"}, 400),
        ("lanes/hold", {"location": "\ud800", "reason": "x"}, 400),
        ("lanes/limit", {"location": "\ud800"}, 400),
        ("dead-letters/runs", {"verb": "purge", "ids": ["\ud800"]}, 400),
        ("dead-letters/runs", {"verb": "purge", "query": {"message": "\ud800"}}, 400),
        ("dead-letters/runs", {"verb": "purge", "query": {"to": "9999-12-31T23:59:59-14:00"}}, 400),
    ],
)
def test_a_nonsensical_change_is_reported_and_changes_nothing(
    behind_password: ProtectedSite, path: str, given: dict[str, Any], status: int
) -> None:
    session = session_of(behind_password)
    before = without_age(behind_password.state())
    headers = {"X-XSRFToken": session.cookies["_xsrf"]}
    answer = session.post(f"{behind_password.site.url}/{path}", json=given, headers=headers, timeout=10)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    assert without_age(behind_password.state()) == before


@pytest.mark.parametrize("sent", ["[" * 100_000, '{"a":' * 50_000, "9" * 5000, "{", "[]"], ids=lambda sent: sent[:5])
def test_a_body_that_is_no_json_object_is_reported(behind_password: ProtectedSite, sent: str) -> None:
    session = session_of(behind_password)
    headers = {"X-XSRFToken": session.cookies["_xsrf"]}
    url = behind_password.site.url
    answers = [session.post(f"{url}/{path}", data=sent, headers=headers, timeout=10) for path in READERS]
    answers.append(session.post(f"{url}/dead-letters/export", data={"given": sent}, headers=headers, timeout=10))
    assert {(answer.status_code, answer.json()["error"].startswith("not ")) for answer in answers} == {(400, True)}
