"""Errors can be pickled, as process pools and Celery do, and copied."""

import copy
import pickle

import pytest

from lanes.errors import LanesError, RedisUnavailableError, ScriptError, SettingsError, Trouble
from lanes.queue.new_job import EnqueueResult, EnqueueStatus, NotDurableError
from producers import (
    DurabilityError,
    EnqueueFailedError,
    EnqueueInterruptedError,
    FieldError,
    IdempotencyConflictError,
    InvalidJobError,
    OpportunityProducer,
    UnknownJobError,
    WaitTimeoutError,
)
from producers.receipt import EnqueueReport, Receipt
from tests.producers.conftest import OK

AWAY = RedisUnavailableError("away", Trouble.LOADING, may_be_done=True)
ERRORS: list[LanesError] = [
    AWAY,
    DurabilityError("fsync", "no", receipt=Receipt("job", "loc")),
    EnqueueFailedError("job", AWAY, may_be_accepted=True),
    EnqueueInterruptedError(EnqueueReport(accepted=3, job_ids=["a", "b", "c"]), AWAY, may_be_accepted=False),
    IdempotencyConflictError("key", "job"),
    InvalidJobError([FieldError("a", "1", "must be 2"), FieldError("", "", "is odd")]),
    NotDurableError("no", [EnqueueResult(EnqueueStatus.KNOWN, "job")]),
    ScriptError("in a script"),
    SettingsError("LANES_X: no such setting"),
    UnknownJobError("job"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_after_pickling_and_copying(error: LanesError) -> None:
    for travelled in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert type(travelled) is type(error)
        assert str(travelled) == str(error)
        assert {name: repr(value) for name, value in vars(travelled).items()} == {
            name: repr(value) for name, value in vars(error).items()
        }


def test_what_was_waited_for_travels_with_the_error(redis_url: str) -> None:
    with OpportunityProducer.from_url(redis_url) as producer:
        job_id = producer.enqueue(OK).job_id
        with pytest.raises(WaitTimeoutError) as caught:
            producer.wait(job_id, 0)
    travelled = pickle.loads(pickle.dumps(caught.value))
    assert (str(travelled), travelled.job) == (str(caught.value), caught.value.job)
