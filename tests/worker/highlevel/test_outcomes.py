"""What each answer means, by the table of cases, and what the table cannot hold."""

import pytest

from tests.worker.highlevel.outcome_case import Case
from tests.worker.highlevel.outcome_cases import CASES, WINDOW
from worker.highlevel.outcomes import Answer, Outcome, OutcomeKind, RequestFailure, classify


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_table(case: Case) -> None:
    case.check(classify(case.answer, WINDOW))


@pytest.mark.parametrize("message", ["no whole answer within 20 s", "connection failed: ConnectionResetError"])
def test_a_failure_is_tried_again(message: str) -> None:
    assert classify(RequestFailure(message), WINDOW) == Outcome(OutcomeKind.RETRY, message=message, in_doubt=True)
    assert classify(RequestFailure(message, sent=False), WINDOW) == Outcome(OutcomeKind.RETRY, message=message)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_every_readable_answer_can_be_stored(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    for depth in range(1, 1200):
        raw = f'{{"message":[{opening * depth}0{closing * depth}]}}'.encode()
        assert classify(Answer(400, {}, raw), WINDOW).kind is OutcomeKind.REFUSED


def test_the_table_has_a_case_of_each_kind_and_of_each_documented_status() -> None:
    assert {case.expected.get("kind") for case in CASES} >= set(OutcomeKind) - {
        OutcomeKind.REQUEUE
    }  # that is for the tokens to say
    assert {case.status for case in CASES} >= {200, 201, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504}
