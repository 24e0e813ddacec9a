"""The account: what the server saw, by which everything else is judged."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ops.sandbox import Fault, RecordKey, RequestLog, Sandbox
from ops.sandbox.request_log import max_in_window, utilisation
from tests.helpers import until
from tests.worker.highlevel.conftest import post

KEY = RecordKey("loc", "pipe", "contact")
OTHER = RecordKey("loc", "pipe", "other")


@pytest.mark.parametrize(
    ("arrivals", "window", "most"),
    [
        ([], 10, 0),
        ([5], 10, 1),
        ([0, 10], 10, 1),
        ([0, 9.999], 10, 2),
        ([0, 1, 2, 10, 11, 12], 10, 3),
        ([0, 9, 9.5, 10, 18.5], 10, 4),
        ([10, 0, 9.5, 9], 10, 3),
        ([1, 1, 1], 10, 3),
        ([0, 5, 10, 15], 0.001, 1),
    ],
)
def test_most_in_window(arrivals: list[float], window: float, most: int) -> None:
    assert max_in_window(arrivals, window) == most


@pytest.mark.parametrize(
    ("arrivals", "limit", "used"),
    [
        ([], 2, 1),
        ([3], 2, 1),
        ([3, 20], 2, 1),
        ([0, 0, 10], 2, 1),
        ([0, 0, 20], 2, 0.5),
        ([0, 5, 10, 15, 20], 2, 1),
        ([20, 0, 40, 40, 0], 2, 0.5),
        ([7, 7, 7], 2, 1),
    ],
)
def test_utilisation(arrivals: list[float], limit: int, used: float) -> None:
    assert utilisation(arrivals, limit, 10) == used


def test_overlaps_and_concurrency() -> None:
    request_log = RequestLog()
    first = request_log.start(KEY, b"{}", 1)
    other = request_log.start(OTHER, b"{}", 2)
    request_log.finish(first, 3)
    request_log.finish(first, 3.5)
    assert first.answered_at == 3
    second = request_log.start(KEY, b"{}", 4)
    assert request_log.overlaps() == []
    third = request_log.start(KEY, b"{}", 5)
    request_log.finish(second, 6)
    fourth = request_log.start(KEY, b"{}", 7)
    assert request_log.overlaps() == [KEY]
    assert [logged.overlapped for logged in request_log.requests()] == [False, False, False, True, True]
    assert (request_log.open, request_log.max_open) == (3, 3)
    for logged in (other, third, fourth):
        request_log.finish(logged, 8)
    assert (request_log.open, request_log.max_open) == (0, 3)


def test_requests_without_a_record_do_not_overlap() -> None:
    request_log = RequestLog()
    nameless = RecordKey.of({"locationId": "loc"})
    for _ in range(2):
        request_log.start(nameless, b"{}", 1)
    assert request_log.overlaps() == []


def test_per_record_is_in_the_order_of_effect_not_of_arrival() -> None:
    request_log = RequestLog()
    logged = [request_log.start(KEY, b'{"name":"%d"}' % number, number) for number in range(3)]
    request_log.apply(logged[2])
    request_log.apply(logged[0])
    assert request_log.per_record() == {KEY: [{"name": "2"}, {"name": "0"}]}
    assert [one.applied for one in logged] == [2, None, 1]


def test_the_numbers() -> None:
    request_log = RequestLog()
    for at, status in ((0, 201), (1, 200), (9, 500), (10.5, 429)):
        logged = request_log.start(KEY, b"{}", at)
        logged.status, logged.rate_limited = status, status == 429
        request_log.finish(logged, at + 0.5)
    request_log.start(RecordKey("loc-2", "pipe", "contact"), b"", 3)
    assert request_log.summary(10) == {
        "requests": 5,
        "open": 1,
        "max_open": 1,
        "succeeded": 2,
        "throttled": 1,
        "overlaps": [],
        "statuses": {"201": 1, "200": 1, "500": 1, "429": 1, "None": 1},
        "locations": {
            "loc": {"requests": 4, "max_in_window": 3, "throttled": 1},
            "loc-2": {"requests": 1, "max_in_window": 1, "throttled": 0},
        },
    }
    windows = (("loc", 1.6), ("loc", 100), ("loc-2", 100), (None, 10))
    assert [request_log.max_in_window(*window) for window in windows] == [2, 4, 1, 3]
    assert request_log.utilisation("loc", 1, 1) == 3 / 10.5


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b'"text"'])
def test_a_body_that_is_none_is_empty(raw: bytes) -> None:
    assert RequestLog().start(KEY, raw, 1).body == {}


def test_what_the_server_writes_down(sandbox: Sandbox) -> None:
    post(sandbox, name="Deal")
    post(sandbox, name="Renamed")
    post(sandbox, status="opened")
    post(sandbox, raw=b"{")
    logged = sandbox.request_log.requests()
    assert [one.number for one in logged] == [1, 2, 3, 4]
    assert [one.status for one in logged] == [201, 200, 422, 400]
    assert [one.key[:3] for one in logged[2:]] == [KEY[:3], ("", "", "")]
    assert all(one.answered_at and one.answered_at >= one.arrived_at for one in logged)
    assert [one.arrived_at for one in logged] == sorted(one.arrived_at for one in logged)
    assert [body["name"] for body in sandbox.request_log.per_record()[KEY]] == ["Deal", "Renamed"]
    assert sandbox.records[KEY]["name"] == "Renamed"
    assert (sandbox.request_log.succeeded, sandbox.request_log.throttled, sandbox.request_log.open) == (2, 0, 0)


def test_requests_that_are_open_at_once(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(latency_seconds=(0.2, 0.4))
    with ThreadPoolExecutor(6) as pool:
        contacts = ["contact", "contact", "a", "b", "c", "d"]
        answers = list(pool.map(lambda contact: post(sandbox, contactId=contact), contacts))
    assert sorted(answer.status_code for answer in answers) == [200, 201, 201, 201, 201, 201]
    assert sandbox.request_log.overlaps() == [KEY]
    assert sandbox.request_log.max_open > 1
    assert all((one.answered_at or 0) - one.arrived_at >= 0.2 for one in sandbox.request_log.requests())


def test_reset_forgets_everything_but_the_request_that_is_open(sandbox: Sandbox) -> None:
    sandbox.inject(Fault(kind="timeout", delay_seconds=1))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(post, sandbox)
        until(lambda: [logged.fault for logged in sandbox.request_log.requests()] == ["timeout"], "the request to hang")
        before = sandbox.request_log
        sandbox.reset()
        assert post(sandbox).headers["X-RateLimit-Remaining"] == "99"
        assert isinstance(waiting.exception(), OSError)
    until(lambda: before.open == 0, "the open request to end")
    assert (sandbox.request_log.open, len(sandbox.request_log.requests()), len(sandbox.records)) == (0, 1, 1)
