"""Both limits: what is counted, and how the windows go."""

import random
from collections.abc import Callable
from typing import Any, Literal

import pytest
import requests

from ops.sandbox import Fault, Sandbox, SandboxControl, SandboxSettings
from ops.sandbox.limits import LocationLimits, limit_headers, retry_after_header
from ops.sandbox.request_log import max_in_window
from tests.helpers import until
from tests.worker.highlevel.conftest import post
from worker.highlevel.outcomes import Answer as Received
from worker.highlevel.outcomes import OutcomeKind, classify

Way = Literal["sliding", "fixed"]


def limits_of(**settings: Any) -> LocationLimits:
    return LocationLimits(SandboxSettings(**{"burst_limit": 3, "burst_window_seconds": 10, **settings}))


@pytest.mark.parametrize(
    ("window", "arrivals"),
    [
        # (when, remaining after it; None: refused)
        ("sliding", [(0, 2), (1, 1), (2, 0), (3, None), (9.5, None), (10, 0), (10.5, None), (11, 0), (12, 0)]),
        ("sliding", [(8, 2), (9, 1), (9.5, 0), (10, None), (17.5, None), (18, 0), (40, 2)]),
        ("fixed", [(8, 2), (9, 1), (9.5, 0), (9.75, None), (10, 2), (10.25, 1), (10.5, 0), (19.5, None), (20, 2)]),
    ],
)
def test_the_burst_window(window: Way, arrivals: list[tuple[float, int | None]]) -> None:
    limits = limits_of(window=window)
    for now, remaining in arrivals:
        usage = limits.consume(now)
        assert (now, usage.allowed) == (now, remaining is not None)
        assert usage.remaining == (remaining or 0)


@pytest.mark.parametrize("window", ["sliding", "fixed"])
@pytest.mark.parametrize("seed", range(5))
def test_a_window_never_holds_more_than_its_limit_and_nothing_is_refused_without_need(window: Way, seed: int) -> None:
    chance = random.Random(seed)
    limits, allowed, now = limits_of(window=window), list[float](), 0.0
    for _ in range(400):
        now += chance.choice([0, 0.25, 1, 4, 11])
        usage = limits.peek(now)
        assert limits.consume(now).allowed == usage.allowed
        if usage.allowed:
            allowed.append(now)
        else:
            began = now // 10 * 10 if window == "fixed" else now - 10
            assert sum(at >= began if window == "fixed" else at > began for at in allowed) == 3
            assert usage.retry_after > 0
            assert not limits.peek(now + usage.retry_after - 0.125).allowed
            now += usage.retry_after
            assert limits.consume(now).allowed
            allowed.append(now)
    most = max_in_window(allowed, 10)
    assert (most == 3) if window == "sliding" else (3 < most <= 6)


def test_the_day_begins_with_the_first_request() -> None:
    limits = limits_of(daily_limit=2, burst_limit=100)
    assert limits.peek(50).daily_reset == 86_400
    assert [limits.consume(at).daily_remaining for at in (100, 200)] == [1, 0]
    refused = limits.consume(300)
    assert (refused.allowed, refused.remaining, refused.daily_remaining) == (False, 100, 0)
    assert refused.daily_reset == refused.retry_after == 86_400 - 200
    assert not limits.consume(86_499).allowed
    assert limits.consume(86_500).daily_remaining == 1


def test_the_headers() -> None:
    settings = SandboxSettings(burst_limit=3, burst_window_seconds=2.5, daily_limit=7)
    limits = LocationLimits(settings)
    limits.consume(100)
    usage = limits.consume(100.5)
    assert limit_headers(settings, usage) == {
        "X-RateLimit-Max": "3",
        "X-RateLimit-Remaining": "1",
        "X-RateLimit-Interval-Milliseconds": "2500",
        "X-RateLimit-Limit-Daily": "7",
        "X-RateLimit-Daily-Remaining": "5",
        "X-RateLimit-Daily-Reset": "86399500",
    }
    limits.consume(100.5)
    assert retry_after_header(limits.consume(101)) == {"Retry-After": "2"}


def test_a_location_has_limits_of_its_own_that_change_at_any_time(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(burst_limit=3, burst_limits={"loc": 2})
    control = SandboxControl(sandbox.url)

    def reported(location: str = "loc") -> list[str]:
        answer = post(sandbox, locationId=location)
        names = ("X-RateLimit-Max", "X-RateLimit-Remaining", "X-RateLimit-Limit-Daily", "X-RateLimit-Daily-Remaining")
        return [str(answer.status_code), *(answer.headers[name] for name in names)]

    assert reported() == ["201", "2", "1", "200000", "199999"]
    assert reported() == ["200", "2", "0", "200000", "199998"]
    assert reported()[0] == "429"
    control.set_limits("loc", burst=5)
    assert reported() == ["200", "5", "2", "200000", "199997"]
    control.set_limits("loc", burst=1, daily=2)
    assert reported() == ["429", "1", "0", "2", "0"]
    assert reported("another")[1] == "3"
    for location, burst in (("", 1), ("loc", 0)):
        with pytest.raises(requests.HTTPError, match="400"):
            control.set_limits(location, burst=burst)


def test_when_a_lowered_window_has_a_free_slot_again() -> None:
    limits = limits_of(burst_limit=4)
    for at in (0, 1, 2, 3):
        limits.consume(at)
    limits.burst_limit = 2
    refused = limits.consume(4)
    assert (refused.allowed, refused.remaining, refused.retry_after) == (False, 0, 8)
    assert not limits.consume(11.9).allowed
    assert limits.consume(12).allowed


@pytest.mark.parametrize("retry_after", [False, True])
def test_past_the_burst_limit(make_sandbox: Callable[..., Sandbox], retry_after: bool) -> None:
    sandbox = make_sandbox(burst_limit=2, retry_after=retry_after)
    answers = [post(sandbox) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    body = answers[2].json()
    assert body.pop("traceId")
    assert body == {"statusCode": 429, "message": "Too Many Requests"}
    assert ("Retry-After" in answers[2].headers) == retry_after
    assert post(sandbox, locationId="another").status_code == 201
    assert sandbox.request_log.throttled == 1
    assert [logged.rate_limited for logged in sandbox.request_log.requests("loc")] == [False, False, True]


def test_past_the_daily_limit_the_reset_header_says_how_long(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(daily_limit=1, daily_window_seconds=3600)
    post(sandbox)
    answer = post(sandbox)
    assert (answer.status_code, answer.headers["X-RateLimit-Daily-Remaining"]) == (429, "0")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    outcome = classify(Received(answer.status_code, headers, answer.content), 10)
    assert outcome.kind is OutcomeKind.THROTTLED
    assert outcome.wait == int(headers["x-ratelimit-daily-reset"]) / 1000
    assert 10 < outcome.wait <= 3600


@pytest.mark.parametrize("window", ["sliding", "fixed"])
def test_the_window_passes(make_sandbox: Callable[..., Sandbox], window: Way) -> None:
    sandbox = make_sandbox(burst_limit=1, burst_window_seconds=0.5, window=window)
    until(lambda: post(sandbox).status_code == 429, "a request too many")
    until(lambda: post(sandbox).status_code == 200, "a place in the next window")


def test_which_requests_count(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(
        tokens={"sandbox-token": None, "other": {"loc-2"}, "bare": None}, tokens_without_scope={"bare"}
    )
    sandbox.inject(Fault(kind="status", contact_prefix="ill"))
    counted = [
        post(sandbox).status_code,
        post(sandbox, contactId="ill").status_code,
        post(sandbox, status="opened").status_code,
        post(sandbox, {"Version": None}).status_code,
        post(sandbox, {"Authorization": "Bearer bare"}).status_code,
    ]
    uncounted = [
        post(sandbox, {"Authorization": "Bearer gone"}).status_code,
        post(sandbox, {"Authorization": "Bearer other"}).status_code,
        post(sandbox, {"User-Agent": "Python-urllib/3.11"}).status_code,
        post(sandbox, raw=b"{").status_code,
    ]
    assert (counted, uncounted) == ([201, 500, 422, 401, 401], [401, 403, 403, 400])
    assert post(sandbox).headers["X-RateLimit-Remaining"] == str(100 - len(counted) - 1)
