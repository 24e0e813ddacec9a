"""The login of the dashboard as a process: passwords beyond ASCII, wrong passwords, and bodies before a login."""

import json
import re
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.helpers import until
from tests.worker.dashboard.site_with_extra_page import ExtraPageSite, start

USERS = {"ana": "correct horse", "bjørn": "pässwörd ✓", "guessed": "one", "sprayed": "two", "old": "new"}
ANA = ("ana", USERS["ana"])
PIECE = bytes(1_000_000)
# What refused uploads may cost; bodies that are kept cost 60 MB or more.
MAX_GROWTH_BYTES = 20_000_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExtraPageSite]:
    folder = tmp_path_factory.mktemp("logins")
    people = folder / "people"
    # As an editor on Windows saves it: with a byte order mark.
    people.write_text("".join(f"{name}:{password}\n" for name, password in USERS.items()), "utf-8-sig")
    with ExitStack() as ends:
        yield start(folder, ends, "--basic-auth-file", str(people))


def basic(name: str, password: str, encoding: str = "utf-8") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{name}:{password}".encode(encoding)).decode()}


def get(site: ExtraPageSite, path: str, headers: dict[str, str], sender: str = "127.0.0.1") -> HTTPResponse:
    client = HTTPConnection("127.0.0.1", urlsplit(site.url).port, timeout=10, source_address=(sender, 0))
    client.request("GET", path, headers=headers)
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer


@pytest.mark.parametrize("path", ["/throughput", "/workers", "/api/workers", "/metrics"])
def test_names_and_passwords_beyond_ascii(site: ExtraPageSite, path: str) -> None:
    good, wrong = basic("bjørn", USERS["bjørn"]), basic("bjørn", "pässword")
    assert get(site, path, good).status == 200
    assert get(site, path, basic("ana", USERS["ana"])).status == 200
    refused = get(site, path, wrong)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="flower", charset="UTF-8"')
    for damaged in ("Basic !", "Basic /w==", "Basic", "Bearer x", "Basic " + "A" * 9000):
        assert get(site, path, {"Authorization": damaged}).status == 401


def test_a_change_by_a_name_beyond_ascii_is_logged_with_it(site: ExtraPageSite) -> None:
    client = requests.Session()
    client.headers.update(basic("bjørn", USERS["bjørn"]))
    client.get(f"{site.url}/throughput", timeout=10)
    assert site.request_change(client, "his").json()["by"] == "bjørn"


def refusals(site: ExtraPageSite, name: str | None = None) -> list[dict[str, object]]:
    """Return the log lines about wrong passwords, of all or of one name."""
    lines = (line for line in site.stack.children[-1].output.splitlines() if '"login_refused"' in line)
    return [line for line in map(json.loads, lines) if name in (None, line["user"])]


def test_wrong_passwords_are_logged_and_slowed_down_for_one_address_and_name(site: ExtraPageSite) -> None:
    answers = [get(site, "/workers", basic("guessed", f"guess {number}")) for number in range(10)]
    statuses = [answer.status for answer in answers]
    assert statuses == [401] * 5 + [429] * 5
    assert int(answers[-1].headers["Retry-After"]) >= 1
    # The right password is not tried either, or the answer would tell that it is right.
    assert get(site, "/workers", basic("guessed", USERS["guessed"])).status == 429
    forged = {"X-Forwarded-For": "10.1.1.1", "X-Real-Ip": "10.1.1.1"}
    assert get(site, "/workers", basic("guessed", USERS["guessed"]) | forged).status == 429
    # The same person from elsewhere, and others from here, are not locked out.
    assert get(site, "/workers", basic("guessed", USERS["guessed"]), "127.0.0.2").status == 200
    assert get(site, "/workers", basic("ana", USERS["ana"])).status == 200
    logged = until(lambda: len(found := refusals(site, "guessed")) >= 5 and found, "the log lines")
    assert len(logged) == 5
    assert {line["address"] for line in logged} == {"127.0.0.1"}
    assert "guess 1" not in site.stack.children[-1].output


def test_a_tab_with_an_old_password_does_not_slow_its_owner_down(site: ExtraPageSite) -> None:
    """Pages poll every two seconds; a repeated password is no guess."""
    assert {get(site, "/throughput/data", basic("old", "old")).status for _ in range(10)} == {401}
    assert get(site, "/throughput/data", basic("old", USERS["old"])).status == 200
    assert len(refusals(site, "old")) == 1


def test_a_name_is_logged_in_one_short_printable_line(site: ExtraPageSite) -> None:
    get(site, "/workers", basic("zoë\x1b[31m\n" + "x" * 5000, "y"))
    logged = until(lambda: [line for line in refusals(site) if str(line["user"]).startswith("zo")], "the line")
    name = logged[0]["user"]
    assert name.startswith(r"zoë\x1b[31m\nxxx")
    assert len(name) <= 64


def upload(site: ExtraPageSite, path: str, headers: str, body: bytes, times: int) -> bytes:
    """Send a body in pieces until the server has enough of it; return its answer."""
    where = urlsplit(site.url)
    answer = b""
    with socket.create_connection((where.hostname, where.port or 0), timeout=30) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: {where.netloc}\r\n{headers}\r\n\r\n".encode())
        try:
            for _ in range(times):
                client.sendall(body)
            answer = client.recv(4096)
        except OSError:
            pass
    return answer


def peak_memory(pid: int) -> int:
    """Return the largest resident size since the last reset, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.parametrize("path", ["/throughput", "/api/task/send-task/x", "/healthcheck", "/lanes-static/live.js"])
@pytest.mark.parametrize(("uploads", "pieces"), [(6, 95), (60, 1)], ids=["large", "many that never end"])
def test_uploads_without_a_login_cost_no_memory(site: ExtraPageSite, path: str, uploads: int, pieces: int) -> None:
    pid = site.stack.children[-1].pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the peak
    before = peak_memory(pid)
    arguments = (site, path, f"Content-Length: {pieces * len(PIECE) + 1}", PIECE, pieces)
    threads = [threading.Thread(target=upload, args=arguments) for _ in range(uploads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get(site, "/workers", basic(*ANA)).status == 200
    assert peak_memory(pid) - before < MAX_GROWTH_BYTES


CHUNKED = "Transfer-Encoding: chunked"


def login_header() -> str:
    return "Authorization: " + basic(*ANA)["Authorization"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ("Content-Length: 20", b"x" * 20, b"401"),
        ("Content-Length: 20\r\nAuthorization: Basic !", b"x" * 20, b"401"),
        ("Content-Length: 1000000", b"", b"401"),  # the body never comes: the answer does not wait for it
        (CHUNKED, b"5\r\nabcde\r\n", b"401"),
        (f"{login_header()}\r\nContent-Length: 1048577", b"", b"413"),
        (f"{login_header()}\r\nContent-Length: {10**30}", b"", b"413"),
        (f"{login_header()}\r\nContent-Length: 2", b"{}", b"403"),  # a body that is read: the token is missing
    ],
)
def test_a_body_is_read_after_the_login_and_up_to_the_limit(
    site: ExtraPageSite, headers: str, body: bytes, status: bytes
) -> None:
    answer = upload(site, "/lanes/hold-all", headers, body, 1)
    assert answer.split()[1] == status
    if status == b"413":
        assert b"1,048,576 bytes" in answer


def test_a_chunked_body_beyond_the_limit_is_cut_off(site: ExtraPageSite) -> None:
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    answer = upload(site, "/lanes/hold-all", f"{login_header()}\r\n{CHUNKED}", piece, 20)
    assert answer.split()[1:2] in ([], [b"400"])  # the answer may be lost: we still send


def test_long_addresses_and_headers_are_refused(site: ExtraPageSite) -> None:
    for path, headers in ((f"/lanes?search={'x' * 40_000}", ""), ("/lanes", f"X-Long: {'x' * 40_000}\r\n")):
        answer = upload(site, path, headers + login_header(), b"", 1)
        assert not answer.startswith(b"HTTP/1.1 2")
    assert "Traceback" not in site.stack.children[-1].output


def test_after_a_refused_request_the_connection_is_used_again(site: ExtraPageSite) -> None:
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port or 0), timeout=30) as client:
        for _ in range(3):
            client.sendall(b"GET /lanes HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("login", ["", "Authorization: Basic !\r\n"])
def test_after_a_small_body_the_connection_is_used_again(site: ExtraPageSite, login: str) -> None:
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port or 0), timeout=30) as client:
        for _ in range(3):
            client.sendall(f"POST /lanes/hold-all HTTP/1.1\r\nHost: x\r\n{login}Content-Length: 2\r\n\r\n".encode())
            client.sendall(b"{}")
            assert client.recv(4096).startswith(b"HTTP/1.1 401 ")
        client.sendall(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
