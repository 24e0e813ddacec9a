"""What the rate limit headers of an answer mean, and that every kind of answer passes them on."""

import pytest

from worker.highlevel.outcomes import Answer, OutcomeKind, RequestFailure, classify
from worker.highlevel.rate_limits import RateLimitHeaders, read_rate_limits

MAX = "x-ratelimit-max"
LEFT = "x-ratelimit-remaining"
WINDOW = "x-ratelimit-interval-milliseconds"
DAILY = "x-ratelimit-limit-daily"
DAY_LEFT = "x-ratelimit-daily-remaining"
RESET = "x-ratelimit-daily-reset"

NAMES = (MAX, LEFT, WINDOW, DAILY, DAY_LEFT, RESET)
# S: the documented values; O: the reset.
ALL = {MAX: "100", LEFT: "97", WINDOW: "10000", DAILY: "200000", DAY_LEFT: "199990", RESET: "3600000"}
TOLD = RateLimitHeaders(100, 97, 10.0, 200_000, 199_990, 3600.0)
FIELDS = dict(zip(NAMES, RateLimitHeaders._fields, strict=True))


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in ALL.items() if name not in names}


def test_all_six_are_read() -> None:
    assert read_rate_limits(ALL) == TOLD


def test_other_headers_do_not_matter() -> None:
    assert read_rate_limits({"content-type": "application/json", **ALL, "x-ratelimit": "1"}) == TOLD


@pytest.mark.parametrize("name", NAMES)
def test_one_that_is_missing_is_not_known_and_the_others_are(name: str) -> None:
    assert read_rate_limits(without(name)) == TOLD._replace(**{FIELDS[name]: None})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json"},
        without(MAX, DAILY),
        {LEFT: "3"},
        {**ALL, MAX: "many", DAILY: ""},
        {name.title(): value for name, value in ALL.items()},  # the client gives names in lower case
    ],
)
def test_without_either_limit_nothing_is_reported(headers: dict[str, str]) -> None:
    assert read_rate_limits(headers) is None


@pytest.mark.parametrize("headers", [without(DAILY, DAY_LEFT, RESET), without(MAX, LEFT, WINDOW)])
def test_one_budget_may_be_reported_alone(headers: dict[str, str]) -> None:
    expected = {FIELDS[name]: None for name in NAMES if name not in headers}
    assert read_rate_limits(headers) == TOLD._replace(**expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "many",
        "-1",
        "+1",
        "1.5",
        "1e2",
        "1_0",
        "0x10",
        "NaN",
        "Infinity",
        " 50",
        "50 ",
        "50, 50",
        "\u0665\u0660",
        "\u00b2",
        "10000000000",
        "9" * 5000,
    ],
)
def test_what_is_no_number_that_can_be_is_not_known(name: str, value: str) -> None:
    assert read_rate_limits({**ALL, name: value}) == TOLD._replace(**{FIELDS[name]: None})


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        (MAX, "0", None),
        (MAX, "97", 97),
        (MAX, "10000", 10_000),
        (MAX, "10001", None),
        (LEFT, "0", 0),
        (LEFT, "100", 100),
        (LEFT, "101", None),
        (LEFT, "0007", 7),
        (WINDOW, "0", None),
        (WINDOW, "1", 0.001),
        (WINDOW, "86400000", 86_400.0),
        (WINDOW, "86400001", None),
        (DAILY, "0", None),
        (DAILY, "10000000", 10**7),
        (DAILY, "10000001", None),
        (DAY_LEFT, "0", 0),
        (DAY_LEFT, "200000", 200_000),
        (DAY_LEFT, "200001", None),
        (RESET, "0", None),
        (RESET, "1", 0.001),
        (RESET, "86400000", 86_400.0),
        (RESET, "86400001", None),
    ],
)
def test_the_bounds_of_each(name: str, value: str, read: float | None) -> None:
    reported = read_rate_limits({**ALL, name: value})
    assert reported is not None
    assert reported._asdict() == TOLD._asdict() | {FIELDS[name]: read}


@pytest.mark.parametrize(
    ("limit", "left", "field"), [(MAX, LEFT, "left"), (DAILY, DAY_LEFT, "day_left")], ids=["window", "day"]
)
def test_more_left_than_there_is_is_not_believed(limit: str, left: str, field: str) -> None:
    for value, read in (("7", 7), ("8", None)):
        reported = read_rate_limits({**ALL, limit: "7", left: value})
        assert reported is not None
        assert getattr(reported, field) == read


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, OutcomeKind.UNCONFIRMED),
        (201, OutcomeKind.UNCONFIRMED),
        (400, OutcomeKind.REFUSED),
        (401, OutcomeKind.UNAUTHORIZED),
        (422, OutcomeKind.REFUSED),
        (429, OutcomeKind.THROTTLED),
        (500, OutcomeKind.RETRY),
        (503, OutcomeKind.RETRY),
    ],
)
@pytest.mark.parametrize(("headers", "reported"), [(ALL, TOLD), ({}, None), ({MAX: "x"}, None)])
def test_every_outcome_has_the_limits_of_its_answer(
    status: int, kind: OutcomeKind, headers: dict[str, str], reported: RateLimitHeaders | None
) -> None:
    outcome = classify(Answer(status, headers, b"{}"), 10.0)
    assert (outcome.kind, outcome.rate_limits) == (kind, reported)


def test_a_delivery_has_them_too() -> None:
    outcome = classify(Answer(201, ALL, b'{"new": true}'), 10.0)
    assert (outcome.kind, outcome.rate_limits) == (OutcomeKind.DELIVERED, TOLD)


@pytest.mark.parametrize(
    "body", [b"", b"<!doctype html><title>503</title>", b"error code: 1010", b"[]", b'"text"', b'{"message": "cut o']
)
@pytest.mark.parametrize("status", [200, 403, 429, 503])
def test_an_answer_that_is_not_the_apis_own_reports_no_limits(status: int, body: bytes) -> None:
    assert classify(Answer(status, ALL, body), 10.0).rate_limits is None
    assert classify(Answer(status, ALL, b'{"message": "x"}'), 10.0).rate_limits == TOLD


def test_without_an_answer_no_limits_are_reported() -> None:
    assert classify(RequestFailure("no whole answer within 20 s"), 10.0).rate_limits is None
