"""The token endpoints of the sandbox: rotation, grace, expiry, revocation, faults, and the account of it."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from ops.sandbox import Fault, FaultKind, Sandbox, SandboxControl
from tests.helpers import until
from tests.worker.highlevel.conftest import DEADLINE_SECONDS, HEADERS, post
from worker.highlevel.outcomes import RequestFailure
from worker.tokens.oauth import Grant, OAuthClient, TokenDenied

CLIENT = {"client_id": "app", "client_secret": "secret"}
AGENT = {"User-Agent": "highlevel-lanes/test"}


def ask(sandbox: Sandbox, headers: dict[str, str] | None = None, **form: str | None) -> requests.Response:
    data = {name: value for name, value in {**CLIENT, **form}.items() if value is not None}
    return requests.post(
        f"{sandbox.url}/oauth/token", data=data, headers={**AGENT, **(headers or {})}, timeout=DEADLINE_SECONDS
    )


def refresh(sandbox: Sandbox, token: str) -> requests.Response:
    return ask(sandbox, grant_type="refresh_token", refresh_token=token)


def status(sandbox: Sandbox, token: str, location: str = "loc") -> int:
    return post(sandbox, {"Authorization": f"Bearer {token}"}, locationId=location).status_code


def test_a_pair_is_for_its_location_alone(sandbox: Sandbox) -> None:
    token = SandboxControl(sandbox.url).grant("loc")["access_token"]
    assert status(sandbox, token) == 201
    assert status(sandbox, token, "other") == 403
    assert status(sandbox, "sandbox-token", "other") == 201


def test_rotation_and_grace(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(grace_seconds=0.4)
    control = SandboxControl(sandbox.url)
    first = control.grant("loc")
    answers = [refresh(sandbox, first["refresh_token"]).json() for _ in range(3)]
    pairs = {(answer["access_token"], answer["refresh_token"]) for answer in answers}
    assert len(pairs) == 1
    assert answers[0]["refresh_token"] != first["refresh_token"]
    assert status(sandbox, answers[0]["access_token"]) == 201
    until(lambda: refresh(sandbox, first["refresh_token"]).status_code == 400, "the end of the grace")
    assert refresh(sandbox, answers[0]["refresh_token"]).status_code == 200
    asked = control.oauth()
    refresh_state = [one["refresh_state"] for one in asked]
    assert refresh_state[0] == "current"
    assert set(refresh_state[1:-2]) == {"grace"}
    assert refresh_state[-2:] == ["spent", "current"]
    assert {one["location_id"] for one in asked} == {"loc"}
    assert [one["generation"] for one in asked][-2:] == [1, 2]


@pytest.mark.parametrize("kind", ["early_hints", "trailing_bytes", "two_answers"])
def test_bytes_around_an_answer(sandbox: Sandbox, kind: str) -> None:
    sandbox.inject(Fault(kind=FaultKind(kind), endpoint="token"))
    client, control = OAuthClient(sandbox.url, 5), SandboxControl(sandbox.url)
    for token, expected in ((control.grant("loc")["refresh_token"], Grant), ("unknown", TokenDenied)):
        assert isinstance(client.refresh(token, "app", "secret", "Location"), expected)
    assert [(one["fault"], one["status"]) for one in control.oauth()] == [(kind, 200), (kind, 400)]


def test_a_maintenance_page_is_no_token(sandbox: Sandbox) -> None:
    sandbox.inject(Fault(kind=FaultKind.MAINTENANCE_PAGE, endpoint="token"))
    token = SandboxControl(sandbox.url).grant("loc")["refresh_token"]
    assert isinstance(OAuthClient(sandbox.url, 5).refresh(token, "app", "secret", "Location"), RequestFailure)


def test_expiry(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(token_seconds=0.3)
    pair = SandboxControl(sandbox.url).grant("loc")
    assert pair["expires_in"] == 0.3
    until(lambda: status(sandbox, pair["access_token"]) == 401, "its end")
    assert refresh(sandbox, pair["refresh_token"]).status_code == 200


def test_revocation(sandbox: Sandbox) -> None:
    control = SandboxControl(sandbox.url)
    pair, other = control.grant("loc"), control.grant("other")
    control.revoke("loc", access_only=True)
    assert status(sandbox, pair["access_token"]) == 401
    pair = refresh(sandbox, pair["refresh_token"]).json()
    assert status(sandbox, pair["access_token"]) == 201
    control.revoke("loc")
    assert status(sandbox, pair["access_token"]) == 401
    assert refresh(sandbox, pair["refresh_token"]).json()["message"] == "invalid_grant: this refresh token is invalid"
    assert status(sandbox, other["access_token"], "other") == 201
    control.revoke_token("sandbox-token")
    assert post(sandbox).status_code == 401


def test_a_code_is_good_for_one_pair(sandbox: Sandbox) -> None:
    code = SandboxControl(sandbox.url).grant_code("loc")
    answer = ask(sandbox, grant_type="authorization_code", code=code)
    assert (answer.status_code, answer.json()["locationId"]) == (200, "loc")
    assert status(sandbox, answer.json()["access_token"]) == 201
    assert ask(sandbox, grant_type="authorization_code", code=code).status_code == 400


def test_the_token_of_an_agency(sandbox: Sandbox) -> None:
    control = SandboxControl(sandbox.url)
    agency = control.grant(company="company")["access_token"]
    assert status(sandbox, agency) == 401
    headers = {**AGENT, "Authorization": f"Bearer {agency}", "Version": "2021-07-28"}
    form = {"companyId": "company", "locationId": "loc"}

    def exchange(changed: dict[str, str], **fields: str) -> requests.Response:
        url = f"{sandbox.url}/oauth/locationToken"
        return requests.post(url, data={**form, **fields}, headers={**headers, **changed}, timeout=DEADLINE_SECONDS)

    answer = exchange({})
    assert "refresh_token" not in answer.json()
    assert status(sandbox, answer.json()["access_token"]) == 201
    assert exchange({}, locationId="").status_code == 422
    assert exchange({}, companyId="other").status_code == 400
    assert exchange({"Version": "v9"}).status_code == 401
    assert exchange({"Authorization": "Bearer nobody"}).status_code == 401


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": None}, 422),
        ({"grant_type": "client_credentials"}, 400),
        ({"grant_type": "refresh_token", "client_secret": "wrong"}, 401),
        ({"grant_type": "refresh_token", "refresh_token": "nobody's"}, 400),
        ({"grant_type": "authorization_code", "code": "nobody's"}, 400),
    ],
)
def test_what_is_refused(make_sandbox: Callable[..., Sandbox], form: dict[str, Any], expected: int) -> None:
    sandbox = make_sandbox(oauth_client=("app", "secret"))
    assert ask(sandbox, **form).status_code == expected


def test_the_edge_refuses_urllib_and_json_is_refused(sandbox: Sandbox) -> None:
    assert ask(sandbox, {"User-Agent": "Python-urllib/3.11"}, grant_type="refresh_token").status_code == 403
    assert ask(sandbox, {"Content-Type": "application/json"}, grant_type="refresh_token").status_code == 400


def test_faults_apply_to_the_requests_that_they_name(sandbox: Sandbox) -> None:
    control = SandboxControl(sandbox.url)
    control.inject(Fault(kind="status", status=503, endpoint="token", location="loc", times=1))
    pairs = {name: control.grant(name)["refresh_token"] for name in ("loc", "other")}
    assert post(sandbox).status_code == 201
    assert refresh(sandbox, pairs["other"]).status_code == 200
    assert [refresh(sandbox, pairs["loc"]).status_code for _ in range(2)] == [503, 200]
    # The answer is lost after it took effect.
    pair = control.grant("loc")["refresh_token"]
    control.inject(Fault(kind="invalid_json", endpoint="token", applied=True, times=1))
    assert refresh(sandbox, pair).text[:16] == '{"access_token":'
    assert refresh(sandbox, pair).status_code == 200
    assert [(one["fault"], one["refresh_state"]) for one in control.oauth()][-2:] == [
        ("invalid_json", "current"),
        (None, "grace"),
    ]
    assert sandbox.request_log.requests()[0].status == 201


def test_a_reset_forgets_what_was_given_out(sandbox: Sandbox) -> None:
    control = SandboxControl(sandbox.url)
    token = control.grant("loc")["access_token"]
    control.reset()
    assert status(sandbox, token) == 401
    assert control.oauth() == []
    assert HEADERS["Version"] == "2021-07-28"
