"""What each answer of the API means: one row a fact, used by every test of outcomes.

Marks: S in the specification, O observed, ? not known and decided here.
"""

from collections.abc import Iterator

from tests.worker.highlevel.confirmation_cases import GOOD, confirmations
from tests.worker.highlevel.outcome_case import EDGE_PAGE, HTML, JSON, TEXT, Case, case
from worker.highlevel.bounded_post import MAX_ANSWER_BYTES
from worker.highlevel.envelope import MAX_MESSAGE
from worker.highlevel.outcomes import DAY_SECONDS, OutcomeKind

WINDOW = 10.0


def error(status: int, message: object, **fields: object) -> dict[str, object]:
    return {"statusCode": status, "message": message, **fields}


def v3(message: object, **fields: object) -> dict[str, object]:
    return {"error": {"code": "X", "message": message, "details": [], "resolution": "mend it", **fields}}


def kinds() -> Iterator[Case]:
    for status, body, kind in (
        # S: the documented answers
        (200, {"opportunity": {"id": "opp"}, "new": False}, OutcomeKind.DELIVERED),
        (400, error(400, "Bad Request"), OutcomeKind.REFUSED),
        (401, error(401, "Invalid token: access token is invalid", error="Unauthorized"), OutcomeKind.UNAUTHORIZED),
        (422, error(422, ["Unprocessable Entity"], error="Unprocessable Entity"), OutcomeKind.REFUSED),
        # O: a new record answers 201; any 2xx with the documented JSON is success, and one without it confirms nothing
        (201, {"opportunity": {"id": "opp"}, "new": True}, OutcomeKind.DELIVERED),
        (202, {"opportunity": {"id": "opp"}, "new": True}, OutcomeKind.DELIVERED),
        (202, b"", OutcomeKind.UNCONFIRMED),
        (204, b"", OutcomeKind.UNCONFIRMED),
        (299, b"", OutcomeKind.UNCONFIRMED),
        (201, {}, OutcomeKind.UNCONFIRMED),
        (200, EDGE_PAGE, OutcomeKind.UNCONFIRMED),
        # O: the table of token errors
        (401, error(401, "Invalid JWT"), OutcomeKind.UNAUTHORIZED),
        (401, error(401, "Access token has expired"), OutcomeKind.UNAUTHORIZED),
        (401, error(401, "Invalid Private Integration token"), OutcomeKind.UNAUTHORIZED),
        (401, error(401, "The token is not authorized for this scope."), OutcomeKind.UNAUTHORIZED),
        (401, error(401, "version header was not found."), OutcomeKind.UNAUTHORIZED),
        (401, error(401, "version header is invalid"), OutcomeKind.UNAUTHORIZED),
        (401, v3("Invalid JWT"), OutcomeKind.UNAUTHORIZED),
        (401, EDGE_PAGE, OutcomeKind.UNAUTHORIZED),
        (401, b"", OutcomeKind.UNAUTHORIZED),
        (
            403,
            error(403, "The token does not have access to this location.", error="Forbidden"),
            OutcomeKind.UNAUTHORIZED,
        ),
        (403, error(403, "The token is not authorized for this scope."), OutcomeKind.UNAUTHORIZED),
        (403, v3("The token does not have access to this location."), OutcomeKind.UNAUTHORIZED),
        # ?: a 403 that speaks of something else, or of nothing, is about this job
        (403, error(403, "Forbidden resource"), OutcomeKind.REFUSED),
        (403, b"", OutcomeKind.REFUSED),
        # O: refused for good
        (400, error(400, "Can not create duplicate opportunity for the contact.", code="OPPORTUNITY_NO_DUPLICATE"),
         OutcomeKind.REFUSED),
        (404, error(404, "Opportunity not found", code="OPPORTUNITY_NOT_FOUND"), OutcomeKind.REFUSED),
        (404, b"", OutcomeKind.REFUSED),
        (405, b"", OutcomeKind.REFUSED),
        (409, error(409, "Conflict"), OutcomeKind.REFUSED),
        (413, b"", OutcomeKind.REFUSED),
        (422, error(422, ["property X should not exist"]), OutcomeKind.REFUSED),
        (499, b"", OutcomeKind.REFUSED),
        # O: past a limit
        (429, error(429, "Too Many Requests"), OutcomeKind.THROTTLED),
        (429, v3("Too Many Requests"), OutcomeKind.THROTTLED),
        (429, b"", OutcomeKind.THROTTLED),
        (429, EDGE_PAGE, OutcomeKind.THROTTLED),
        # ?: what may pass by itself
        (408, b"", OutcomeKind.RETRY),
        (500, error(500, "Internal Server Error"), OutcomeKind.RETRY),
        (501, b"", OutcomeKind.RETRY),
        (502, EDGE_PAGE, OutcomeKind.RETRY),
        (503, b"", OutcomeKind.RETRY),
        (504, b"", OutcomeKind.RETRY),
        (520, b"", OutcomeKind.RETRY),
        (599, b"", OutcomeKind.RETRY),
        # ?: a redirect is not followed, a token would go where it leads
        (301, b"", OutcomeKind.RETRY),
        (302, EDGE_PAGE, OutcomeKind.RETRY),
        (304, b"", OutcomeKind.RETRY),
        (307, b"", OutcomeKind.RETRY),
    ):  # fmt: skip
        yield case(status, body, kind=kind)
    # O: a 403 of the edge blames neither job nor token
    for raw, headers in (
        (EDGE_PAGE, HTML),
        (EDGE_PAGE, {}),
        (b"error code: 1010", TEXT),
        (b"\n  <html>no code</html>", JSON),
        (b"", HTML),
        (b"", {"content-type": "TEXT/HTML"}),
    ):
        yield case(403, raw, headers, kind=OutcomeKind.RETRY)
    # ?: the API's own words count under any content type
    lacking = error(403, "The token does not have access to this location.")
    for headers in (HTML, TEXT, {}, {"content-type": "application/octet-stream"}):
        yield case(403, lacking, headers, kind=OutcomeKind.UNAUTHORIZED, message=lacking["message"])


def messages() -> Iterator[Case]:
    """O: `message` is a string or an array in any error, and v3 has an envelope of its own. They become one line."""
    for body, headers, message in (
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
        (b'{"statusCode":400,"message":"cut of', JSON, "HTTP 400 without a message"),
        (EDGE_PAGE, HTML, "HTTP 400 with an HTML page"),
        (EDGE_PAGE, {}, "HTTP 400 with an HTML page"),
        (EDGE_PAGE, JSON, "HTTP 400 with an HTML page"),
        (error(400, "JSON all the same"), HTML, "JSON all the same"),
        (error(400, "JSON all the same"), TEXT, "JSON all the same"),
        (error(400, "JSON all the same"), {"content-type": "image/png"}, "JSON all the same"),
        (b"upstream connect error", TEXT, "upstream connect error"),
        (b"upstream\r\nconnect \xff error", TEXT, "upstream  connect \ufffd error"),
        (b" ", TEXT, "HTTP 400 without a message"),
        (b'{"message": "broken \xff character"}', JSON, "broken \ufffd character"),
        (error(400, "  two\r\nlines\tand \x1b[31mred\u202etext "), JSON, "two  lines and  [31mred text"),
    ):
        yield case(400, body, headers, message=message)
    for long in ("x" * 100_000, ["property x should not exist"] * 5_000):
        first = long if isinstance(long, str) else "; ".join(long)
        yield case(422, error(422, long), message=first[: MAX_MESSAGE - 1] + "…")
    # Past what a client reads, it is cut off.
    yield case(422, error(422, "x" * 2 * MAX_ANSWER_BYTES), message="HTTP 422 without a message")


def codes() -> Iterator[Case]:
    """O: seen on create and update; that of v3 stands in its envelope."""
    for body, code in (
        (error(400, "Can not create duplicate opportunity for the contact.", code="OPPORTUNITY_NO_DUPLICATE",
               meta={"existingId": "opp"}), "OPPORTUNITY_NO_DUPLICATE"),
        (error(404, "Opportunity not found", code="OPPORTUNITY_NOT_FOUND"), "OPPORTUNITY_NOT_FOUND"),
        (v3("from v3", code="OPPORTUNITY_NOT_FOUND"), "OPPORTUNITY_NOT_FOUND"),
        ({"code": "OUTER", **v3("from v3", code="INNER")}, "OUTER"),
        (error(400, "m", code=7), None),
        (error(400, "m", code=""), None),
        (error(400, "m", code=["X"]), None),
        (error(400, "m", code="two\nlines"), "two lines"),
        (error(400, "m", code="C" * 1000), "C" * (MAX_MESSAGE - 1) + "…"),
        (error(400, "m"), None),
        (b"", None),
    ):  # fmt: skip
        for status in (400, 404, 429, 500):
            yield case(status, body, code=code)
    yield case(200, {"code": "X"}, code=None)


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
LATER = "Wed, 21 Oct 2026 07:28:42 GMT"
EARLIER = "Wed, 21 Oct 2026 07:27:00 GMT"
DAILY = "x-ratelimit-daily-remaining"
RESET = "x-ratelimit-daily-reset"


def waits() -> Iterator[Case]:
    for headers, wait in (
        # ? whether Retry-After comes with it: both forms that HTTP knows are read, garbage counts as none
        ({}, WINDOW),
        ({"retry-after": "3"}, 3),
        ({"retry-after": " 3 "}, 3),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "0"}, WINDOW),
        ({"retry-after": "-5"}, WINDOW),
        ({"retry-after": "99999999"}, DAY_SECONDS),
        ({"retry-after": "nan"}, WINDOW),
        ({"retry-after": "inf"}, WINDOW),
        ({"retry-after": ""}, WINDOW),
        ({"retry-after": "soon"}, WINDOW),
        ({"retry-after": "9" * 5000}, WINDOW),
        ({"retry-after": LATER, "date": DATE}, 42),
        ({"retry-after": EARLIER, "date": DATE}, WINDOW),
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
    ):
        yield case(429, error(429, "Too Many Requests"), headers, wait=wait)
    for status in (400, 401, 403, 404):
        yield case(status, b"", {"retry-after": "3", DAILY: "0"}, wait=None)
    yield case(200, GOOD, {"retry-after": "3"}, wait=None)
    # S (RFC 9110, 10.2.3): Retry-After is for a 503 and a redirect too; whatever is sent again waits that long.
    for headers, min_delay in (
        ({"retry-after": "3"}, 3),
        ({"retry-after": LATER, "date": DATE}, 42),
        ({"retry-after": LATER}, None),
        ({"retry-after": EARLIER, "date": DATE}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "99999999"}, DAY_SECONDS),
        ({DAILY: "0", RESET: "3600000"}, None),
        ({}, None),
    ):
        for status in (200, 302, 408, 500, 502, 503, 520):
            yield case(status, b"", headers, wait=min_delay)


def hostile_bodies() -> Iterator[Case]:
    """?: such a body changes nothing but the words."""
    for body in (
        b"[" * 200_000,
        b'{"message":' * 50_000,
        b'{"message":[' + b"[" * 900 + b"]" * 900 + b"]}",
        b"9" * 200_000,
        b"\xff\xfe\x00",
        b"\x00a\x00b\x00",
        b"\x00" * 1000,
        b'{"message": "\\ud800"}',
        b'{"message": "\xff"}',
        b'"just text"',
        b"null",
        b"NaN",
        '{"message": "mit BOM"}'.encode("utf-8-sig"),
        '{"message": "breit"}'.encode("utf-16"),
    ):
        for status, kind in (
            (200, OutcomeKind.UNCONFIRMED),
            (400, OutcomeKind.REFUSED),
            (401, OutcomeKind.UNAUTHORIZED),
            (500, OutcomeKind.RETRY),
        ):
            yield case(status, body, kind=kind)


def trace_ids() -> Iterator[Case]:
    """S: every response has one."""
    for body, headers, trace_id in (
        ({"traceId": "from the body"}, {"x-trace-id": "from the header"}, "from the body"),
        ({}, {"x-trace-id": "from the header"}, "from the header"),
        (b"", {"x-trace-id": "from the header"}, "from the header"),
        (EDGE_PAGE, {"x-trace-id": "from the header"}, "from the header"),
        ({"traceId": 7}, {}, None),
        ({"traceId": ""}, {}, None),
        (b"", {}, None),
    ):
        for status in (200, 400, 429, 500):
            yield case(status, body, headers, trace_id=trace_id)


CASES = [
    *kinds(),
    *messages(),
    *codes(),
    *waits(),
    *confirmations(),
    *hostile_bodies(),
    *trace_ids(),
]
