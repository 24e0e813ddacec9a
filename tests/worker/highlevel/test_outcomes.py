"""What each answer means: one row a fact. Marks: S in the specification, O observed, ? not known and decided here."""

import json
from typing import Any

import pytest

from worker.highlevel.outcomes import DAY_SECONDS, MAX_MESSAGE, Answer, Failure, Kind, Outcome, classify

WINDOW = 10.0
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=UTF-8"}
EDGE_PAGE = b"<!DOCTYPE html><html><body>error code: 1010</body></html>"


def outcome(status: int, body: object = b"", headers: dict[str, str] | None = None) -> Outcome:
    """Classify an answer; a body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(Answer(status, JSON if headers is None else headers, raw), WINDOW)


def error(status: int, message: object, **fields: object) -> dict[str, object]:
    return {"statusCode": status, "message": message, **fields}


def v3(message: object) -> dict[str, object]:
    return {"error": {"code": "X", "message": message, "details": [], "resolution": "mend it"}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # S: the documented answers
        (200, {"opportunity": {"id": "opp"}, "new": False}, Kind.DELIVERED),
        (400, error(400, "Bad Request"), Kind.REFUSED),
        (401, error(401, "Invalid token: access token is invalid", error="Unauthorized"), Kind.UNAUTHORIZED),
        (422, error(422, ["Unprocessable Entity"], error="Unprocessable Entity"), Kind.REFUSED),
        # O: a new record answers 201; any 2xx is success
        (201, {"opportunity": {"id": "opp"}, "new": True}, Kind.DELIVERED),
        (202, b"", Kind.DELIVERED),
        (204, b"", Kind.DELIVERED),
        # O: the table of token errors
        (401, error(401, "Invalid JWT"), Kind.UNAUTHORIZED),
        (401, error(401, "Access token has expired"), Kind.UNAUTHORIZED),
        (401, error(401, "Invalid Private Integration token"), Kind.UNAUTHORIZED),
        (401, error(401, "The token is not authorized for this scope."), Kind.UNAUTHORIZED),
        (401, error(401, "version header was not found."), Kind.UNAUTHORIZED),
        (401, error(401, "version header is invalid"), Kind.UNAUTHORIZED),
        (401, b"", Kind.UNAUTHORIZED),
        (403, error(403, "The token does not have access to this location.", error="Forbidden"), Kind.UNAUTHORIZED),
        (403, error(403, "The token is not authorized for this scope."), Kind.UNAUTHORIZED),
        (403, v3("The token does not have access to this location."), Kind.UNAUTHORIZED),
        # ?: a 403 that speaks of something else is about this job
        (403, error(403, "Forbidden resource"), Kind.REFUSED),
        # O: refused for good
        (400, error(400, "Can not create duplicate opportunity for the contact.", code="OPPORTUNITY_NO_DUPLICATE"),
         Kind.REFUSED),
        (404, error(404, "Opportunity not found", code="OPPORTUNITY_NOT_FOUND"), Kind.REFUSED),
        (404, b"", Kind.REFUSED),
        (405, b"", Kind.REFUSED),
        (409, error(409, "Conflict"), Kind.REFUSED),
        (413, b"", Kind.REFUSED),
        (422, error(422, ["property X should not exist"]), Kind.REFUSED),
        # O: past a limit
        (429, error(429, "Too Many Requests"), Kind.THROTTLED),
        (429, b"", Kind.THROTTLED),
        (429, EDGE_PAGE, Kind.THROTTLED),
        # ?: what may pass by itself
        (408, b"", Kind.RETRY),
        (500, error(500, "Internal Server Error"), Kind.RETRY),
        (501, b"", Kind.RETRY),
        (502, EDGE_PAGE, Kind.RETRY),
        (503, b"", Kind.RETRY),
        (504, b"", Kind.RETRY),
        (520, b"", Kind.RETRY),
        (599, b"", Kind.RETRY),
        # ?: a redirect is not followed, a token would go where it leads
        (301, b"", Kind.RETRY),
        (302, EDGE_PAGE, Kind.RETRY),
        (304, b"", Kind.RETRY),
        (307, b"", Kind.RETRY),
    ],
)  # fmt: skip
def test_the_kind(status: int, body: object, kind: Kind) -> None:
    found = outcome(status, body)
    assert (found.kind, found.status) == (kind, status)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (EDGE_PAGE, HTML),
        (EDGE_PAGE, {}),
        (b"error code: 1010", {"content-type": "text/plain"}),
        (b"\n  <html>no code</html>", JSON),
        (b"", HTML),
    ],
)
def test_a_403_of_the_edge_blames_neither_job_nor_token(body: bytes, headers: dict[str, str]) -> None:
    assert outcome(403, body, headers).kind is Kind.RETRY


@pytest.mark.parametrize("message", ["no whole answer within 20 s", "connection failed: ConnectionResetError"])
def test_a_failure_is_tried_again(message: str) -> None:
    assert classify(Failure(message), WINDOW) == Outcome(Kind.RETRY, message=message)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (error(400, "a string"), JSON, "a string"),
        (error(422, ["first", "second"]), JSON, "first; second"),
        (error(422, ["one"], error="Unprocessable Entity"), JSON, "one"),
        (error(422, [1, None, {"a": 2}]), JSON, "1; None; {'a': 2}"),
        (v3("from v3"), JSON, "from v3"),
        (v3(["from", "v3"]), JSON, "from; v3"),
        ({"message": "the outer", **v3("the inner")}, JSON, "the outer"),
        ({"error": "only the short one"}, JSON, "only the short one"),
        ({"message": "", "error": "Bad Request"}, JSON, "Bad Request"),
        ({"message": [], "error": "Bad Request"}, JSON, "Bad Request"),
        ({"message": {"no": "text"}, "error": "Bad Request"}, JSON, "Bad Request"),
        ({"message": 7}, JSON, "HTTP 400 without a message"),
        ({"error": {"message": 7}}, JSON, "HTTP 400 without a message"),
        ({}, JSON, "HTTP 400 without a message"),
        ([], JSON, "HTTP 400 without a message"),
        (b"", JSON, "HTTP 400 without a message"),
        (b"", {}, "HTTP 400 without a message"),
        (EDGE_PAGE, HTML, "HTTP 400 with an HTML page"),
        (EDGE_PAGE, {}, "HTTP 400 with an HTML page"),
        (error(400, "  two\r\nlines\tand \x1b[31mred\u202etext "), JSON, "two  lines and  [31mred text"),
    ],
)
def test_the_message_of_either_envelope_is_one_line(body: object, headers: dict[str, str], expected: str) -> None:
    assert outcome(400, body, headers).message == expected


@pytest.mark.parametrize("message", ["x" * 100_000, ["property x should not exist"] * 10_000])
def test_a_long_message_is_cut(message: object) -> None:
    cut = outcome(422, error(422, message)).message
    assert cut is not None
    assert len(cut) == MAX_MESSAGE
    assert cut.endswith("…")


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
LATER = "Wed, 21 Oct 2026 07:28:42 GMT"
EARLIER = "Wed, 21 Oct 2026 07:27:00 GMT"
DAILY = "x-ratelimit-daily-remaining"
RESET = "x-ratelimit-daily-reset"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        # ? whether Retry-After comes with it: both forms that HTTP knows are read, garbage counts as none
        ({}, WINDOW),
        ({"retry-after": "3"}, 3),
        ({"retry-after": " 3 "}, 3),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-5"}, WINDOW),
        ({"retry-after": "99999999"}, DAY_SECONDS),
        ({"retry-after": "nan"}, WINDOW),
        ({"retry-after": "inf"}, WINDOW),
        ({"retry-after": ""}, WINDOW),
        ({"retry-after": "soon"}, WINDOW),
        ({"retry-after": "9" * 5000}, WINDOW),
        ({"retry-after": LATER, "date": DATE}, 42),
        ({"retry-after": EARLIER, "date": DATE}, 0),
        ({"retry-after": "Thu, 21 Oct 2100 07:28:00 GMT", "date": DATE}, DAY_SECONDS),
        ({"retry-after": LATER}, WINDOW),
        ({"retry-after": LATER, "date": "today"}, WINDOW),
        ({"retry-after": LATER, "date": DATE.replace("GMT", "-0000")}, WINDOW),
        ({"retry-after": "Wed, 99 Oct 2026 07:28:00 GMT", "date": DATE}, WINDOW),
        # S: a daily 429 says X-RateLimit-Daily-Remaining: 0; O: the reset, in milliseconds
        ({DAILY: "0", RESET: "3600000"}, 3600),
        ({DAILY: " 0 ", RESET: "3600000"}, 3600),
        ({DAILY: "0", RESET: "3600000", "retry-after": "3"}, 3600),
        ({DAILY: "0", RESET: "1"}, WINDOW),
        ({DAILY: "0", RESET: "999999999999"}, DAY_SECONDS),
        ({DAILY: "0"}, 3600),
        ({DAILY: "0", RESET: "never"}, 3600),
        ({DAILY: "0", RESET: "1e400"}, 3600),
        ({DAILY: "0", RESET: "-1"}, 3600),
        ({DAILY: "1", RESET: "3600000"}, WINDOW),
        ({DAILY: "1", RESET: "3600000", "retry-after": "3"}, 3),
        ({RESET: "3600000"}, WINDOW),
    ],
)
def test_how_long_a_429_makes_a_lane_wait(headers: dict[str, str], wait: float) -> None:
    assert outcome(429, error(429, "Too Many Requests"), headers).wait == wait


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_only_a_429_makes_a_lane_wait(status: int) -> None:
    assert outcome(status, b"", {"retry-after": "3", DAILY: "0"}).wait is None


GOOD = {"opportunity": {"id": "opp"}, "new": True, "traceId": "trace"}


@pytest.mark.parametrize(
    ("body", "opportunity_id", "new", "warned"),
    [
        (GOOD, "opp", True, False),
        ({**GOOD, "new": False}, "opp", False, False),
        ({**GOOD, "new": "true"}, "opp", None, True),
        ({**GOOD, "new": 1}, "opp", None, True),
        ({**GOOD, "opportunity": None}, None, True, True),
        ({**GOOD, "opportunity": "opp"}, None, True, True),
        ({**GOOD, "opportunity": {"id": 7}}, None, True, True),
        ({**GOOD, "opportunity": {"id": ""}}, None, True, True),
        ({}, None, None, True),
        ([GOOD], None, None, True),
        (b"", None, None, True),
        (EDGE_PAGE, None, None, True),
        (b'{"opportunity": {"id": "op', None, None, True),
    ],
)
def test_a_success_without_the_promised_body_is_delivered_with_a_warning(
    body: object, opportunity_id: str | None, new: bool | None, warned: bool
) -> None:
    found = outcome(200, body)
    assert found.kind is Kind.DELIVERED
    assert (found.opportunity_id, found.new, found.warning is not None) == (opportunity_id, new, warned)


@pytest.mark.parametrize("value", ["0", "-1", "0.1", "1e400", "-1e400", "NaN", "Infinity", "null", '"12"', "1" * 4000])
def test_no_monetary_value_in_an_answer_makes_a_delivery_less_of_one(value: str) -> None:
    raw = f'{{"opportunity": {{"id": "opp", "monetaryValue": {value}}}, "new": true}}'.encode()
    assert outcome(200, raw) == Outcome(Kind.DELIVERED, 200, opportunity_id="opp", new=True)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"message":' * 50_000,
        b"9" * 200_000,
        b"\xff\xfe\x00",
        b"\x00" * 1000,
        b'{"message": "\\ud800"}',
        b'{"message": "\xff"}',
        b'"just text"',
        b"null",
        b"NaN",
        '{"message": "mit BOM"}'.encode("utf-8-sig"),
        '{"message": "breit"}'.encode("utf-16"),
    ],
)
@pytest.mark.parametrize(
    ("status", "kind"), [(200, Kind.DELIVERED), (400, Kind.REFUSED), (401, Kind.UNAUTHORIZED), (500, Kind.RETRY)]
)
def test_a_hostile_body_changes_nothing_but_the_words(body: bytes, status: int, kind: Kind) -> None:
    found = outcome(status, body)
    assert found.kind is kind
    assert found.message is None or found.message.isprintable()
    json.dumps(found.message).encode()
    (found.message or "").encode()


@pytest.mark.parametrize(
    ("body", "headers", "trace_id"),
    [
        ({"traceId": "from the body"}, {"x-trace-id": "from the header"}, "from the body"),
        ({}, {"x-trace-id": "from the header"}, "from the header"),
        ({"traceId": 7}, {}, None),
        ({"traceId": ""}, {}, None),
        (b"", {}, None),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_the_trace_id_is_kept(body: Any, headers: dict[str, str], trace_id: str | None, status: int) -> None:
    assert outcome(status, body, headers).trace_id == trace_id


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (error(400, "no", code="OPPORTUNITY_NO_DUPLICATE"), "OPPORTUNITY_NO_DUPLICATE"),
        (v3("no"), "X"),
        (error(400, "no", error="Bad Request"), None),
        (error(400, "no", code=7), None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("status", [400, 429, 500])
def test_the_error_code_is_kept(body: Any, code: str | None, status: int) -> None:
    assert outcome(status, body).code == code
