"""The dashboard as a process, over HTTP: who may read, who may change, and the error messages."""

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flower.urls import handlers as flower_handlers
from tornado.web import create_signed_value

from lanes.activity import audit_log
from tests.helpers import until
from tests.worker.dashboard.conftest import PASSWORD, people_file
from tests.worker.dashboard.site_with_extra_page import ExtraPageSite, start

ANA = PASSWORD["username"], PASSWORD["password"]
SEAL = "what-seals-the-cookies-of-this-test"
PAGES = ("/throughput", "/audit-log", "/throughput/data", "/audit-log/data")
OF_FLOWER = ("/", "/workers", "/tasks", "/broker")


@pytest.fixture(scope="module")
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def unlocked(tmp_path_factory: pytest.TempPathFactory, ends: ExitStack) -> ExtraPageSite:
    """No authentication: this machine alone."""
    return start(tmp_path_factory.mktemp("unlocked"), ends)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, ends: ExitStack) -> ExtraPageSite:
    """Basic auth."""
    folder = tmp_path_factory.mktemp("locked")
    return start(folder, ends, "--basic-auth-file", str(people_file(folder)), "--", "--url_prefix=ops", prefix="/ops")


@pytest.fixture(scope="module")
def oauth(tmp_path_factory: pytest.TempPathFactory, ends: ExitStack) -> ExtraPageSite:
    """OAuth."""
    more = ["--auth=ana@example.com", "--auth_provider=flower.views.auth.GithubLoginHandler", f"--cookie_secret={SEAL}"]
    return start(tmp_path_factory.mktemp("oauth"), ends, "--", *more)


def status(url: str, **more: Any) -> int:
    return requests.get(url, timeout=10, allow_redirects=False, **more).status_code


def test_without_authentication_it_listens_on_loopback_and_says_so(unlocked: ExtraPageSite) -> None:
    said = unlocked.stack.children[-1].output
    assert "No authentication is configured: the dashboard listens on 127.0.0.1 only" in said
    ports = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"}
    port = f"{urlsplit(unlocked.url).port:04X}"
    assert {address for address in ports if address.endswith(port)} == {f"0100007F:{port}"}
    everywhere = Path("/proc/net/tcp6")
    if everywhere.exists():
        assert not any(line.split()[1].endswith(f":{port}") for line in everywhere.read_text().splitlines()[1:])


def test_a_port_that_is_taken_is_named(unlocked: ExtraPageSite) -> None:
    port = urlsplit(unlocked.url).port
    second = unlocked.stack.start("second", ["ops.command", "dashboard", f"--port={port}"])
    assert second.wait(60) == 2
    assert f"lanes: cannot listen on 127.0.0.1, port {port}: " in second.output
    unlocked.stack.children.remove(second)


@pytest.mark.parametrize("path", [*PAGES, *OF_FLOWER, "/metrics"])
def test_without_authentication_it_answers_to_its_own_name_alone(unlocked: ExtraPageSite, path: str) -> None:
    url = unlocked.url + path
    assert status(url) == 200
    port = urlsplit(unlocked.url).port
    assert status(url, headers={"Host": f"localhost:{port}"}) == 200
    for headers in ({"Host": f"evil.example:{port}"}, {"X-Forwarded-For": "10.0.0.1"}, {"X-Real-Ip": "127.0.0.1"}):
        assert status(url, headers=headers) == 403
    assert status(f"{unlocked.url}/healthcheck", headers={"Host": "probe"}) == 200


def test_without_authentication_changes_come_from_this_machine(unlocked: ExtraPageSite) -> None:
    client = unlocked.session()
    assert unlocked.request_change(client, "mine").json() == {"changed": "mine", "by": "local"}
    assert unlocked.request_change(client, "theirs", Host="evil.example").status_code == 403
    assert unlocked.request_change(client, "theirs", Forwarded="for=10.0.0.1").status_code == 403
    assert ("local", "mine") in unlocked.recorded_changes()
    assert "theirs" not in str(unlocked.recorded_changes())


def test_the_api_of_flower_is_off_without_authentication_and_on_with_it(
    unlocked: ExtraPageSite, locked: ExtraPageSite
) -> None:
    assert status(f"{unlocked.url}/api/workers") == 401
    assert requests.post(f"{unlocked.url}/api/task/send-task/x", json={}, timeout=10).status_code == 401
    assert status(f"{locked.url}/api/workers") == 401
    assert status(f"{locked.url}/api/workers", auth=ANA) == 200
    body = {"args": [{"pipelineId": "p", "locationId": "l", "contactId": "c"}], "queue": "lanes"}
    sent = requests.post(f"{locked.url}/api/task/send-task/producers.enqueue", json=body, auth=ANA, timeout=10)
    task_id = sent.json()["task-id"]
    assert entries_of(locked)[0] == ("ana", "task send-task", task_id, "producers.enqueue")
    for given, on in (
        ({"task_id": "mine\n\ud800"}, "mine\\n\\ud800"),
        ([1], "x"),
        ({"args": 1, "task_id": "a" * 999}, "a" * 200),
    ):
        requests.post(f"{locked.url}/api/task/send-task/x", json=given, auth=ANA, timeout=10)
        assert entries_of(locked)[0] == ("ana", "task send-task", on, "x")


def entries_of(site: ExtraPageSite) -> list[tuple[str, str, str, str]]:
    return [(entry.who, entry.what, entry.on, entry.detail) for entry in audit_log.read(site.store)]


def test_each_post_to_the_api_of_flower_is_in_the_audit_log(locked: ExtraPageSite) -> None:
    posts = [each[0] for each in flower_handlers if isinstance(each, tuple) and each[0].startswith("/api/")]
    begun = len(entries_of(locked))
    for pattern in posts:
        before = len(entries_of(locked))
        assert status_of_post(locked, pattern, None) == 401
        assert len(entries_of(locked)) == before
        is_post = status_of_post(locked, pattern, ANA) != 405
        assert len(entries_of(locked)) == before + is_post, pattern
    assert len(entries_of(locked)) > begun + 10
    assert ("ana", "worker pool grow", "some@host", "") in entries_of(locked)


def status_of_post(site: ExtraPageSite, pattern: str, auth: tuple[str, str] | None) -> int:
    path = re.sub(r"\(.*$", "some@host", pattern)
    return requests.post(f"{site.url}{path}", json={}, auth=auth, timeout=10).status_code


@pytest.mark.parametrize("path", [*PAGES, *OF_FLOWER, "/metrics"])
@pytest.mark.parametrize("who", [None, ("ana", "wrong"), ("ana", ""), ("", ""), ("ana:correct", "horse")], ids=repr)
def test_without_the_password_nothing_is_shown(locked: ExtraPageSite, path: str, who: tuple[str, str] | None) -> None:
    answer = requests.get(locked.url + path, auth=who, timeout=10)
    if path == "/throughput/data" and who is None:
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert answer.status_code == 401
    assert "accepted" not in answer.text
    assert status(locked.url + path, auth=ANA) == 200


def test_a_password_that_flower_cannot_compare_is_a_wrong_one(locked: ExtraPageSite) -> None:
    headers = {"Authorization": "Basic " + b64encode("ana:pässword".encode()).decode()}
    assert status(f"{locked.url}/throughput", headers=headers) == 401


def test_changes_need_the_password_the_token_and_a_page_of_ours(locked: ExtraPageSite) -> None:
    client = locked.session(ANA)
    assert locked.request_change(client, "mine").json() == {"changed": "mine", "by": "ana"}
    good = client.cookies["_xsrf"]
    refused = {
        "no token": locked.request_change(client, "no token", token=""),
        "a token of another person": locked.request_change(
            client, "other token", token=locked.session(ANA).cookies["_xsrf"]
        ),
        "no cookie": locked.request_change(_with(requests.Session(), ANA), "no cookie", token=good),
        "another site": locked.request_change(client, "another site", **{"Sec-Fetch-Site": "cross-site"}),
        "a sister site": locked.request_change(client, "a sister site", **{"Sec-Fetch-Site": "same-site"}),
        "another origin": locked.request_change(client, "another origin", Origin="https://evil.example"),
    }
    assert {why: answer.status_code for why, answer in refused.items()} == dict.fromkeys(refused, 403)
    assert all(answer.json()["error"] for answer in refused.values())
    client.auth = ("ana", "wrong")
    assert locked.request_change(client, "wrong password").status_code == 401
    assert locked.recorded_changes() == [("ana", "mine")]


def _with(client: requests.Session, who: tuple[str, str]) -> requests.Session:
    client.auth = who
    return client


@pytest.mark.parametrize("body", ["[]", "no json", '"text"', "\xff"])
def test_what_is_no_object_changes_nothing(unlocked: ExtraPageSite, body: str) -> None:
    client = unlocked.session()
    before = unlocked.recorded_changes()
    headers = {"X-XSRFToken": client.cookies["_xsrf"]}
    answer = client.post(f"{unlocked.url}/test-change", data=body.encode("latin-1"), headers=headers, timeout=10)
    assert answer.status_code == 400
    assert unlocked.recorded_changes() == before


def test_with_oauth_people_are_sent_to_log_in_and_data_are_refused(oauth: ExtraPageSite) -> None:
    page = requests.get(f"{oauth.url}/throughput", timeout=10, allow_redirects=False)
    assert page.status_code == 302
    assert page.headers["Location"].startswith("/login?next=")
    data = requests.get(f"{oauth.url}/throughput/data", timeout=10, allow_redirects=False)
    assert data.status_code == 403
    assert data.json() == {"error": "log in first"}
    assert status(f"{oauth.url}/metrics") == 200
    assert status(f"{oauth.url}/metrics", headers={"Host": "flower:5555"}) == 403
    assert status(f"{oauth.url}/metrics", headers={"X-Forwarded-For": "10.0.0.1"}) == 403


def logged_in(site: ExtraPageSite, email: str) -> requests.Session:
    """Return a client with the cookie that Flower gives to whom the provider knows."""
    client = requests.Session()
    client.cookies.set("user", create_signed_value(SEAL, "user", email).decode(), domain="127.0.0.1")
    client.get(f"{site.url}/throughput", timeout=10, allow_redirects=False)
    return client


def test_with_oauth_a_change_is_logged_with_the_email(oauth: ExtraPageSite) -> None:
    client = logged_in(oauth, "ana@example.com")
    assert client.get(f"{oauth.url}/throughput/data", timeout=10).status_code == 200
    assert oauth.request_change(client, "mine").json() == {"changed": "mine", "by": "ana@example.com"}
    assert oauth.request_change(client, "no token", token="").status_code == 403
    stranger = logged_in(oauth, "eve@example.com")
    assert stranger.get(f"{oauth.url}/throughput/data", timeout=10).status_code == 403
    stranger.cookies.set("_xsrf", client.cookies["_xsrf"])
    assert oauth.request_change(stranger, "theirs").status_code == 403
    assert oauth.recorded_changes() == [("ana@example.com", "mine")]


def test_read_only_changes_nothing(tmp_path: Path) -> None:
    with ExitStack() as ends:
        site = start(tmp_path, ends, "--", "--read_only=True")
        answer = site.request_change(site.session(), "x")
        assert answer.status_code == 403
        assert "read-only" in answer.json()["error"]
        assert site.recorded_changes() == []
        assert status(f"{site.url}/throughput") == 200


def test_pages_of_ours_are_closed_to_other_sites_and_to_caches(unlocked: ExtraPageSite) -> None:
    for path in (*PAGES, "/broken"):
        headers = requests.get(unlocked.url + path, timeout=10).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
    page = requests.get(f"{unlocked.url}/throughput", timeout=10)
    assert "SameSite=Lax" in page.headers["Set-Cookie"]
    assert "<script>" not in page.text


def test_an_unexpected_error_is_logged_and_not_shown(unlocked: ExtraPageSite) -> None:
    page = requests.get(f"{unlocked.url}/broken", timeout=10)
    assert page.status_code == 500
    client = unlocked.session()
    headers = {"X-XSRFToken": client.cookies["_xsrf"]}
    change = client.post(f"{unlocked.url}/test-change", json={"fail": True}, headers=headers, timeout=10)
    assert change.status_code == 500
    assert "see the log of the dashboard" in change.json()["error"]
    for text in (page.text, change.text):
        assert "Traceback" not in text
        assert "secret" not in text
    assert "RuntimeError" in unlocked.stack.children[-1].output


def test_without_redis_pages_say_so_and_come_back(tmp_path: Path) -> None:
    with ExitStack() as ends:
        site = start(tmp_path, ends)
        client = site.session()
        assert status(f"{site.url}/lanes/data") == 200
        site.stack.redis.kill()
        until(lambda: status(f"{site.url}/audit-log/data") == 503, "the page to report it")
        kept = requests.get(f"{site.url}/lanes/data", timeout=20)  # the last picture: Redis is not back for that
        assert kept.status_code == 200
        for path in ("/throughput/data", "/audit-log/data"):
            answer = requests.get(site.url + path, timeout=20)
            assert (answer.status_code, "Redis" in answer.json()["error"]) == (503, True)
        refused = site.request_change(client, "while away")
        assert (refused.status_code, "Redis" in refused.json()["error"]) == (503, True)
        assert status(f"{site.url}/throughput") == 200
        assert status(f"{site.url}/healthcheck") == 200
        said = site.stack.children[-1].output
        assert said.count('"redis_unavailable"') == 1  # however many pages ask
        assert "redis_available" not in said
        assert "Uncaught exception" not in said
        site.stack.redis.start()
        until(lambda: status(f"{site.url}/throughput/data") == 200, "the page to come back")
        assert site.request_change(client, "back").status_code == 200
        assert site.recorded_changes() == [("local", "back")]
        until(lambda: site.stack.children[-1].output.count('"redis_available"') == 1, "the log to say so, once")


def test_everything_respects_the_prefix(locked: ExtraPageSite) -> None:
    page = requests.get(f"{locked.url}/throughput", auth=ANA, timeout=10).text
    links = [part.split('"')[0] for word in ("href=", "src=", "data-source=") for part in page.split(f'{word}"')[1:]]
    own = [link for link in links if link.startswith("/")]
    assert len(own) > 10
    assert [link for link in own if not link.startswith("/ops/")] == []
    assert {status(locked.url.removesuffix("/ops") + link, auth=ANA) for link in own} == {200}
    assert status(locked.url.removesuffix("/ops") + "/throughput", auth=ANA) == 404


def test_files_of_ours_are_kept_by_their_version_and_asked_for_without(unlocked: ExtraPageSite) -> None:
    page = requests.get(f"{unlocked.url}/throughput", timeout=10).text
    named = next(part.split('"')[0] for part in page.split('src="')[1:] if "throughput.js" in part)
    assert "max-age" in requests.get(unlocked.stack.flower_url + named, timeout=10).headers["Cache-Control"]
    imported = requests.get(f"{unlocked.url}/lanes-static/live.js", timeout=10)
    assert imported.headers["Cache-Control"] == "no-cache"
    assert "javascript" in imported.headers["Content-Type"]
    for path in ("%2e%2e/flower.py", "..%2fflower.py", "/etc/passwd"):
        assert status(f"{unlocked.url}/lanes-static/{path}") in (403, 404)
