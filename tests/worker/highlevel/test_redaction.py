"""What the API repeats of what it was sent: no secret leaves an answer, no content the words of a 401 or 403."""

import json
from urllib.parse import quote

import pytest

from worker.highlevel.envelope import MAX_MESSAGE
from worker.highlevel.outcomes import Answer, Outcome, OutcomeKind, classify
from worker.highlevel.redaction import redact_answer

TOKEN = 'pit-1f/0a"7b\\9c'
ESCAPED = "".join(f"\\u{ord(character):04x}" for character in TOKEN)
SHOUTED = "".join(f"\\u{ord(character):04X}" for character in TOKEN.upper())
TEXT = {"content-type": "text/plain"}
IN_JSON = json.dumps(TOKEN)[1:-1].encode()
GOOD = {"opportunity": {"id": f"opp {TOKEN}"}, "new": True}


def error(**fields: object) -> bytes:
    return json.dumps({"statusCode": 400, "message": "m", **fields}).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (400, {}, error(message=f"Bearer {TOKEN} is bad")),
        (400, {}, error(message=["one", f"two {TOKEN}"])),
        (400, {}, error(message=None, error={"message": TOKEN, "code": TOKEN})),
        (400, {}, error(message=None, errors=[{"message": TOKEN}])),
        (400, {}, error(message=None, errors=[{"at": {"token": TOKEN}}])),
        (400, {}, error(traceId=f"t-{TOKEN}")),
        (400, {}, error(code=TOKEN)),
        (400, {"x-trace-id": f"t-{TOKEN}"}, b""),
        (400, {"x-trace-id": ESCAPED}, b""),
        (400, TEXT, f"no {TOKEN} here".encode()),
        (500, TEXT, f"no {TOKEN.upper()} here".encode()),
        (500, TEXT, f"refresh_token={quote(TOKEN, safe='')}&grant_type=x".encode()),
        (500, TEXT, f"refresh_token={quote(TOKEN, safe='').lower()}".encode()),
        (400, {}, b'{"message":"' + ESCAPED.encode() + b'"}'),
        (400, {}, b'{"message":"' + SHOUTED.encode() + b'"}'),
        (400, {}, error(message=json.dumps({"authorization": f"Bearer {TOKEN}"}))),
        (400, {}, error(message=json.dumps({"raw": '{"token":"' + ESCAPED + '"}'}))),
        (400, {}, json.dumps({"message": TOKEN}).replace("/", "\\/").encode()),
        (400, {}, json.dumps({"message": TOKEN}).encode("utf-16")),
        (400, TEXT, f"no {TOKEN} here".encode("utf-16")),
        (400, {}, b'{"message":"\xff ' + IN_JSON + b'"}'),
        (200, {}, json.dumps(GOOD).encode()),
        (200, {}, json.dumps({"success": False, "message": TOKEN}).encode()),
        # Where the cut comes in the middle of it.
        *((400, {}, error(message="x" * (MAX_MESSAGE - at) + TOKEN)) for at in range(1, len(TOKEN) + 2)),
    ],
)
def test_a_token_that_is_repeated_anywhere_is_hidden(status: int, headers: dict[str, str], body: bytes) -> None:
    found = classify(redact_answer(Answer(status, headers, body), (TOKEN,)), 10)
    kept = [found.message, found.code, found.trace_id, found.opportunity_id, found.warning]
    whole = " ".join(filter(None, kept)).lower().replace(" ", "")
    for piece in (TOKEN[:8], TOKEN[4:], ESCAPED[:24], quote(TOKEN, safe="")[:9]):
        assert piece.lower() not in whole
    assert "[secret]" in whole or "x" * (MAX_MESSAGE - 16) in whole


def test_what_repeats_no_secret_stays_as_it_is() -> None:
    for body in (b"", b'{"message":"\\u00e9 50% \\/ \xff"}', '{"a":"b"}'.encode("utf-16")):
        answer = Answer(400, {"x": "%41 \\u0041"}, body, cut=True)
        assert redact_answer(answer, ("", TOKEN)) is answer


LOCATION = "L0cation4711"
SENT = {
    "pipelineId": "pipeline-77",
    "locationId": LOCATION,
    "contactId": "contact-99",
    "name": "Straße der Ölmühle\nNo 12b, van Dyk",
    "status": "won",
    "monetaryValue": 12345.5,
    "assignedTo": "Ed",
    "followers": ["user-abc"],
    "forecast": {"probability": 0.25, "wins": 700, "few": 42, "sure": True},
}


def unauthorized(message: object, status: int = 401, headers: dict[str, str] | None = None) -> Outcome:
    body = message if isinstance(message, bytes) else json.dumps({"message": message}).encode()
    raw = json.dumps(SENT, separators=(",", ":")).encode()
    return classify(Answer(status, headers or {}, body), 10, raw)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Invalid JWT", "Invalid JWT"),
        ("The token does not have access to this location.", "The token does not have access to this location."),
        (f"no access to {LOCATION}", f"no access to {LOCATION}"),
        ("expired for contact-99 of pipeline-77", "expired for [content] of [content]"),
        ("expired for CONTACT-99", "expired for [content]"),
        ("expired: STRASSE DER ÖLMÜHLE", "expired: [content] [content] [content]"),
        ("expired: ölmühle", "expired: [content]"),
        ("expired: Straße der Ölmühle No 12b, van Dyk!", "expired: [content]!"),
        ("expired: Ölmühle 12B at van Dyk", "expired: [content] [content] at [content] [content]"),
        ("expired at 12345.5 or 12345.50", "expired at [content] or [content]0"),
        ("expired: user-abc, 700, 0.25", "expired: [content], [content], [content]"),
        ("expired: Ed has 42 of no", "expired: Ed has 42 of no"),
        ("vandalism and wonder are other words", "vandalism and wonder are other words"),
        (["expired", "contact-99"], "expired; [content]"),
    ],
)
def test_a_hold_reason_repeats_nothing_of_the_body(said: object, kept: str) -> None:
    found = unauthorized(said)
    assert (found.kind, found.message) == (OutcomeKind.UNAUTHORIZED, kept)


def test_content_at_the_cut_is_hidden_before_it_is_cut() -> None:
    for at in range(1, 12):
        message = unauthorized("expired " + "y" * (MAX_MESSAGE - 9 - at) + " contact-99").message or ""
        assert "con" not in message.replace("[content]", "").replace("[con", "")


def test_plain_text_and_v3_errors_are_no_exception() -> None:
    assert unauthorized(b"bad: contact-99", headers=TEXT).message == "bad: [content]"
    nested = json.dumps({"error": {"message": "no scope for contact-99"}}).encode()
    assert unauthorized(nested, 403).message == "no scope for [content]"


def test_other_refusals_keep_their_message() -> None:
    """They stay with the attempt of a dead letter, which holds the body itself."""
    assert unauthorized("no contact-99", 400).message == "no contact-99"
