"""Bodies that cost more to look at than they are worth: nested without end, or full of backslashes."""

import time

import pytest

from worker.highlevel.outcomes import Answer, OutcomeKind, classify
from worker.highlevel.redaction import redact_answer

JSON = {"content-type": "application/json"}
SECRET = "eyJhbGciOi.J9-token_123"


@pytest.mark.parametrize(
    ("status", "kind"), [(422, OutcomeKind.REFUSED), (500, OutcomeKind.RETRY), (200, OutcomeKind.REFUSED)]
)
@pytest.mark.parametrize("depth", [20, 600])
def test_errors_that_are_nested_without_end_are_an_answer_like_others(
    status: int, kind: OutcomeKind, depth: int
) -> None:
    body = b'{"errors":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    outcome = classify(Answer(status, JSON, body), 10, b'{"locationId":"loc"}')
    assert outcome.kind is kind
    assert len(outcome.message or "") <= 500


def test_a_row_of_backslashes_is_gone_through_once() -> None:
    """Eight times as many cost about eight times as much, and not sixty-four times."""

    def cost(backslashes: int) -> float:
        body = b"\\" * backslashes + b"x " + SECRET.encode()
        started = time.process_time()
        answer = redact_answer(Answer(500, {}, body), (SECRET,))
        took = time.process_time() - started
        assert SECRET.encode() not in answer.body
        return took

    cost(10)
    assert min(cost(4000) for _ in range(3)) < 24 * min(cost(500) for _ in range(3)) + 0.05


@pytest.mark.parametrize(
    "spelled", [r"\%65yJhbGciOi.J9-token_123", r"\\\eyJhbGciOi.J9-token_123", r"\\u0065yJhbGciOi.J9-token_123"]
)
def test_a_backslash_before_it_hides_no_secret(spelled: str) -> None:
    assert redact_answer(Answer(500, {}, f"no {spelled}!".encode()), (SECRET,)).body == b"no [secret]!"
