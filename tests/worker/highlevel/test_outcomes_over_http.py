"""The table of outcomes once more: each answer sent by the real sandbox, read by the real client."""

from collections.abc import Iterator

import pytest

from ops.sandbox import DEFAULT_TOKEN, Fault, FaultKind, Sandbox, SandboxControl, SandboxSettings
from tests.worker.highlevel.conftest import BODY
from tests.worker.highlevel.outcome_case import Case
from tests.worker.highlevel.outcome_cases import CASES, WINDOW
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Answer, classify

RAW = str(BODY).replace("'", '"').encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    """A sandbox for all cases, with no limit of its own."""
    with Sandbox(SandboxSettings(burst_limit=10**6)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def client(server: Sandbox) -> HighLevelClient:
    """A client that keeps its connection over the cases."""
    return HighLevelClient(server.url, "2021-07-28", 30)


def script(case: Case) -> Fault:
    return Fault(kind=FaultKind.SCRIPTED, status=case.status, headers=case.headers, raw=case.body, times=1)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_table(server: Sandbox, client: HighLevelClient, case: Case) -> None:
    server.reset()
    server.inject(script(case))
    case.check(classify(client.upsert(RAW, DEFAULT_TOKEN), WINDOW))
    [seen] = server.request_log.requests()
    assert (seen.fault, seen.status) == ("scripted", case.status)


def test_a_script_goes_to_a_sandbox_in_another_process_byte_by_byte(server: Sandbox, client: HighLevelClient) -> None:
    server.reset()
    every_byte = bytes(range(256))
    SandboxControl(server.url).inject(
        Fault(kind=FaultKind.SCRIPTED, status=418, headers={"x-own": "value"}, raw=every_byte, times=1)
    )
    answer = client.upsert(RAW, DEFAULT_TOKEN)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (418, every_byte)
    assert answer.headers == {"x-own": "value", "content-length": "256"}
