"""What a 2xx says by its body: rows of the table of outcomes. Marks as in `outcome_cases`."""

from collections.abc import Iterator
from typing import Any

from tests.worker.highlevel.outcome_case import EDGE_PAGE, HTML, JSON, TEXT, Case, case
from worker.highlevel.bounded_post import MAX_ANSWER_BYTES
from worker.highlevel.outcomes import OutcomeKind

GOOD = {"opportunity": {"id": "opp"}, "new": True, "traceId": "trace"}
NO_WORDS = "HTTP 200, and the body reports a failure"


def failures_in_a_success() -> Iterator[Case]:
    """?: a body that says that it failed wins over the status, and over all else in it; its words are kept."""
    for body, message in (
        ({"success": False, "statusCode": 400, "message": "x"}, "x"),
        ({"success": False}, NO_WORDS),
        ({"success": "false", "message": "x"}, "x"),
        ({"succeded": False, "message": "spelled as this API does"}, "spelled as this API does"),
        ({"succeeded": False}, NO_WORDS),
        ({"ok": False, "message": "x"}, "x"),
        ({"statusCode": 422, "message": ["first", "second"]}, "first; second"),
        ({"statusCode": "400", "message": "x"}, "x"),
        ({"status": 400, "message": "x"}, "x"),
        ({"status": "error", "message": "x"}, "x"),
        ({"status": "FAILED"}, NO_WORDS),
        ({"error": "Bad Request"}, "Bad Request"),
        ({"error": True, "message": "x"}, "x"),
        ({"error": {"code": "X", "message": "in spite of 200"}}, "in spite of 200"),
        ({"error": {"code": "X"}}, NO_WORDS),
        ({"error": ["first", "second"]}, "first; second"),
        ({"errors": ["first", "second"]}, "first; second"),
        ({"errors": [{"message": "first"}, {"message": "second"}]}, "first; second"),
        ({"errors": {"name": ["must be shorter"]}}, "name: must be shorter"),
        ({"errors": "all of it"}, "all of it"),
        ({**GOOD, "success": False, "message": "x"}, "x"),
        ({**GOOD, "errors": ["first"]}, "first"),
        ({**GOOD, "statusCode": 409, "message": "x"}, "x"),
    ):
        for status in (200, 201):
            said = message.replace("200,", f"{status},")
            yield case(status, body, kind=OutcomeKind.REFUSED, message=said, wait=None, in_doubt=False)
    # What only looks like one.
    harmless: tuple[dict[str, Any], ...] = (
        {"success": True},
        {"success": None},
        {"error": None},
        {"error": False},
        {"error": ""},
        {"error": 0},
        {"error": {}},
        {"error": "none"},
        {"errors": []},
        {"errors": {}},
        {"errors": None},
        {"statusCode": 200},
        {"statusCode": 201, "message": "Created"},
        {"statusCode": "OK"},
        {"statusCode": True},
        {"status": 200},
        {"status": "success"},
        {"status": "lost"},
        {"status": "open"},
        {"message": "failed and error are words that a name may hold"},
        {"opportunity": {"id": "opp", "status": "error", "error": "x", "success": False, "statusCode": 400}},
        {"meta": {"error": "x"}},
    )
    for more in harmless:
        yield case(200, {**GOOD, **more}, kind=OutcomeKind.DELIVERED, opportunity_id="opp", new=True, warning=None)


def unconfirmed() -> Iterator[Case]:
    """?: a 2xx without the documented body and without an error: whether the API applied it is unknown."""
    for body, headers, message in (
        ({}, JSON, "HTTP 200 without the promised body"),
        ({"message": "Server is busy"}, JSON, "HTTP 200 without the promised body"),
        ({"opportunity": None, "new": None}, JSON, "HTTP 200 without the promised body"),
        ({"opportunity": "opp", "new": "true"}, JSON, "HTTP 200 without the promised body"),
        ({"new": 1}, JSON, "HTTP 200 without the promised body"),
        ({"code": "X"}, JSON, "HTTP 200 without the promised body"),
        ([GOOD], JSON, "HTTP 200 without the promised body"),
        (b"", JSON, "HTTP 200 without a body"),
        (b" \r\n", JSON, "HTTP 200 without a body"),
        (EDGE_PAGE, HTML, "HTTP 200 with an HTML page"),
        (b"<!doctype html><title>Back soon</title>", JSON, "HTTP 200 with an HTML page"),
        (b"OK", TEXT, "HTTP 200 without the promised body"),
        (b'{"opportunity": {"id": "op', JSON, "HTTP 200 without the promised body"),
        ({**GOOD, "padding": "x" * MAX_ANSWER_BYTES}, JSON, "HTTP 200 without the promised body"),
    ):
        yield case(200, body, headers, kind=OutcomeKind.UNCONFIRMED, message=message, in_doubt=True, warning=None)
    for status, body, in_doubt in (
        # S (RFC 9110, 15.6.3 and 15.6.5): a gateway's 502 and 504 report a lost answer; O: its 520 and 524
        (502, EDGE_PAGE, True),
        (504, b"", True),
        (520, b"", True),
        (524, b"", True),
        # The API's own answer, or that of an edge that reached no server.
        (500, b"", False),
        (503, b"", False),
        (521, b"", False),
        (522, b"", False),
        (408, b"", False),
        (429, b"", False),
        (400, b"", False),
        (302, b"", False),
    ):
        yield case(status, body, in_doubt=in_doubt)


def deliveries() -> Iterator[Case]:
    """S: the documented body; a success with a part of it is delivered, with a warning."""
    for body, headers, opportunity_id, new, warned in (
        (GOOD, JSON, "opp", True, False),
        (GOOD, HTML, "opp", True, False),
        (GOOD, {}, "opp", True, False),
        ({**GOOD, "new": False}, JSON, "opp", False, False),
        ({**GOOD, "new": "true"}, JSON, "opp", None, True),
        ({**GOOD, "new": 1}, JSON, "opp", None, True),
        ({**GOOD, "opportunity": None}, JSON, None, True, True),
        ({**GOOD, "opportunity": "opp"}, JSON, None, True, True),
        ({**GOOD, "opportunity": {"id": 7}}, JSON, None, True, True),
        ({**GOOD, "opportunity": {"id": ""}}, JSON, None, True, True),
        ({"opportunity": {"id": "opp"}}, JSON, "opp", None, True),
        ({"opportunity": {}}, JSON, None, None, True),
        ({"new": False}, JSON, None, False, True),
        (b'{"opportunity": {"id": "opp", "name": "\xff"}, "new": true}', JSON, "opp", True, False),
    ):
        warning = "the answer does not hold the promised body" if warned else None
        yield case(
            200, body, headers, kind=OutcomeKind.DELIVERED, opportunity_id=opportunity_id, new=new, warning=warning
        )
    for value in ("0", "-1", "0.1", "1e400", "-1e400", "NaN", "Infinity", "null", '"12"', "1" * 4000):
        raw = f'{{"opportunity": {{"id": "opp", "monetaryValue": {value}}}, "new": true}}'.encode()
        yield case(200, raw, kind=OutcomeKind.DELIVERED, opportunity_id="opp", new=True, warning=None)


def confirmations() -> Iterator[Case]:
    """Every row of this file."""
    yield from failures_in_a_success()
    yield from unconfirmed()
    yield from deliveries()
