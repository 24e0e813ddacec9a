"""The client of the token endpoints: what it sends, and what it makes of every answer."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.sandbox import Fault, Sandbox, SandboxControl
from tests.worker.highlevel.recorder import Recorder
from tests.worker.highlevel.wire import WireServer, answer
from worker.highlevel.outcomes import Answer, RequestFailure
from worker.tokens.oauth import Grant, OAuthClient, TokenDenied, UnspentFailure, classify_grant

JSON = {"content-type": "application/json"}
PAIR = b'{"access_token": "at-2", "refresh_token": "rt-2", "expires_in": 86399, "userId": "u"}'
CERTIFICATE = Path(__file__).parents[1] / "highlevel" / "self_signed.pem"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, PAIR, Grant("at-2", "rt-2", 86399)),
        (201, PAIR, Grant("at-2", "rt-2", 86399)),
        (200, b'{"access_token": "at-2", "refresh_token": "rt-2"}', Grant("at-2", "rt-2", None)),
        (200, PAIR[:40], RequestFailure("the answer does not hold the promised token")),
        (200, b"", RequestFailure("the answer does not hold the promised token")),
        (200, b'{"access_token": "at-2"}', RequestFailure("the answer does not hold the promised token")),
        (
            200,
            b'{"access_token": "a b", "refresh_token": "r"}',
            RequestFailure("the answer does not hold the promised token"),
        ),
        (200, b"<html>", RequestFailure("the answer does not hold the promised token")),
        (400, b'{"message": "invalid_grant"}', TokenDenied(400, "invalid_grant")),
        (400, b'{"message": "bad rt-1 of s-1"}', TokenDenied(400, "bad [secret] of [secret]")),
        (401, b'{"message": "invalid_client"}', TokenDenied(401, "invalid_client")),
        (403, b'{"message": "Forbidden resource"}', TokenDenied(403, "Forbidden resource")),
        (422, b'{"message": ["a", "b"]}', TokenDenied(422, "a; b")),
        (403, b"<html>error code: 1010", RequestFailure("403 HTTP 403 with an HTML page")),
        (429, b'{"message": "Too many"}', UnspentFailure("429 Too many")),
        (500, b"", RequestFailure("500 HTTP 500 without a message")),
        (503, b'{"message": "rt-1"}', RequestFailure("503 [secret]")),
        (503, b'{"message": "\\u0072t-1"}', RequestFailure("503 [secret]")),
        (400, b'{"message": "no RT-1"}', TokenDenied(400, "no [secret]")),
        (400, b'{"message": "' + b"x" * 497 + b'rt-1"}', TokenDenied(400, "x" * 497 + "[s…")),
        # What it gives together with an error is as secret as what it gives without one.
        (
            400,
            b'{"message": "not at-9 and rt-9", "access_token": "at-9", "refresh_token": "rt-9"}',
            TokenDenied(400, "not [secret] and [secret]"),
        ),
        (
            200,
            b'{"error": "rt-1 is spent", "access_token": "at-2", "refresh_token": "rt-2"}',
            RequestFailure("200 [secret] is spent"),
        ),
        (
            200,
            b'{"success": false, "message": "at-2 is none", "access_token": "at-2", "refresh_token": "rt-2"}',
            RequestFailure("200 [secret] is none"),
        ),
        (302, b"", RequestFailure("302 HTTP 302 without a message")),
        (404, b'{"message": "Cannot POST"}', RequestFailure("404 Cannot POST")),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, expected: object) -> None:
    assert classify_grant(Answer(status, JSON, body), ("rt-1", "s-1"), pair=True) == expected


def test_an_exchanged_token_comes_without_a_refresh_token() -> None:
    assert classify_grant(Answer(200, JSON, b'{"access_token": "at"}'), (), pair=False) == Grant("at", "", None)


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ({}, True),
        ({"locationId": "loc"}, True),
        ({"locationId": "", "companyId": None}, True),
        ({"locationId": "other"}, False),
        ({"locationId": "loc", "companyId": "other"}, False),
        ({"locationId": ["loc"]}, False),
        ({"companyId": "c"}, True),
    ],
)
def test_a_token_of_another_location_is_not_taken(names: dict[str, object], taken: bool) -> None:
    answer = Answer(200, JSON, json.dumps({"access_token": "at", **names}).encode())
    found = classify_grant(answer, (), pair=False, owners={"locationId": "loc", "companyId": "c"})
    assert isinstance(found, Grant if taken else RequestFailure)


def refresh(client: OAuthClient, token: str = "rt-1") -> Grant | TokenDenied | RequestFailure:
    return client.refresh(token, "app", "s-1", "Location")


@pytest.mark.parametrize("status", [400, 503])
def test_no_answer_repeats_a_secret_that_was_sent_or_is_to_be_replaced(status: int) -> None:
    said = b'{"message": "rt-1 s-1 at-1 agency-1"}'
    with Recorder(status=status, body=said) as server:
        client = OAuthClient(server.url, 5)
        refreshed = client.refresh("rt-1", "app", "s-1", "Location", replaces="at-1")
        minted = client.exchange("company", "loc", "agency-1", replaces="at-1")
    assert not isinstance(refreshed, Grant)
    assert not isinstance(minted, Grant)
    assert refreshed.message.removeprefix(f"{status} ") == "[secret] [secret] [secret] agency-1"
    assert minted.message.removeprefix(f"{status} ") == "rt-1 s-1 [secret] [secret]"


def test_half_an_answer_gives_no_token() -> None:
    answer = classify_grant(Answer(200, JSON, PAIR, cut=True), (), pair=True)
    assert answer == RequestFailure("the answer does not hold the promised token")


def test_secrets_go_into_the_body_and_nowhere_else() -> None:
    with Recorder(body=PAIR) as server:
        assert refresh(OAuthClient(server.url, 5)) == Grant("at-2", "rt-2", 86399)
    [request] = server.seen
    assert (request.method, request.target) == ("POST", "/oauth/token")
    assert request.headers["User-Agent"].startswith("highlevel-lanes")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert not any(secret in str(request.headers) for secret in ("rt-1", "s-1"))
    assert b"refresh_token=rt-1" in request.body
    assert "rt-2" not in repr(Grant("at-2", "rt-2", 1))


def test_no_redirect_is_followed() -> None:
    with Recorder() as elsewhere, Recorder(status=307, headers={"Location": f"{elsewhere.url}/oauth/token"}) as server:
        assert refresh(OAuthClient(server.url, 5)) == RequestFailure("307 HTTP 307 without a message")
    assert elsewhere.seen == []


def test_an_untrusted_certificate_is_refused() -> None:
    with Recorder(certificate=CERTIFICATE) as server:
        answer = refresh(OAuthClient(server.url, 5))
    assert answer == UnspentFailure("TLS: the certificate of the API could not be verified")
    assert server.seen == []


def test_there_is_a_deadline_for_the_whole_of_it(sandbox: Sandbox) -> None:
    sandbox.inject(Fault(kind="slow_body", endpoint="token", delay_seconds=60))
    began = time.monotonic()
    assert refresh(OAuthClient(sandbox.url, 0.5)) == RequestFailure("no whole answer within 0.5 s")
    assert time.monotonic() - began < 30
    assert OAuthClient(sandbox.url, 600).timeout == 7


def test_an_unreachable_endpoint() -> None:
    assert refresh(OAuthClient("http://127.0.0.1:1", 5)) == UnspentFailure("connection failed: ConnectionRefusedError")


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


def test_a_1xx_is_not_the_answer() -> None:
    with WireServer(
        {1: HINTS + answer(PAIR), 2: HINTS * 3 + answer(b'{"message":"invalid_grant"}', "400 Bad")}
    ) as server:
        assert refresh(OAuthClient(server.url, 5)) == Grant("at-2", "rt-2", 86399)
        assert refresh(OAuthClient(server.url, 5)) == TokenDenied(400, "invalid_grant")


def test_a_pair_that_is_cut_off_is_not_taken() -> None:
    with WireServer({1: answer(PAIR).replace(b"Length: 8", b"Length: 9")}, closing=frozenset({1})) as server:
        assert isinstance(refresh(OAuthClient(server.url, 5)), RequestFailure)


@pytest.mark.parametrize("kind", ["invalid_json", "reset"])
def test_an_answer_that_was_lost_is_given_again(sandbox: Sandbox, kind: str) -> None:
    control, client = SandboxControl(sandbox.url), OAuthClient(sandbox.url, 5)
    spent = control.grant("loc")["refresh_token"]
    sandbox.inject(Fault(kind=kind, endpoint="token", applied=True, times=1))
    assert isinstance(refresh(client, spent), RequestFailure)
    first = refresh(client, spent)
    assert isinstance(first, Grant)
    assert refresh(client, spent) == first
    assert [one["refresh_state"] for one in control.oauth()] == ["current", "grace", "grace"]


def test_exchanging_an_agency_token(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(token_seconds=60)
    control, client = SandboxControl(sandbox.url), OAuthClient(sandbox.url, 5)
    agency = control.grant(company="company")["access_token"]
    minted = client.exchange("company", "loc", agency)
    assert isinstance(minted, Grant)
    assert (minted.refresh_token, minted.expires_in) == ("", 60)
    assert client.exchange("company", "loc", "nobody") == TokenDenied(401, "Invalid JWT")
    assert client.exchange("other", "loc", agency) == TokenDenied(400, "The token does not belong to this company.")
