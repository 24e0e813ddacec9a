"""What may be said of a job besides its body."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from producers import EnqueueOptions, InvalidJobError, Options
from producers.model import check
from producers.new_job import make_new_job
from tests.producers.conftest import OK, Producer, problems_of

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
WITH_ZONE = "must be a time with a zone, like 2026-05-01T09:00:00Z"


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"idempotency_key": ""}, "must be 1 to 128 printable ASCII characters, no spaces (it is '')"),
        ({"idempotency_key": "a b"}, "must be 1 to 128 printable ASCII characters, no spaces (it is 'a b')"),
        ({"idempotency_key": "a\n"}, r"must be 1 to 128 printable ASCII characters, no spaces (it is 'a\n')"),
        ({"idempotency_key": "é"}, "must be 1 to 128 printable ASCII characters, no spaces (it is 'é')"),
        ({"idempotency_key": "k" * 129}, "must be 1 to 128 printable ASCII characters, no spaces (it is 'kkk"),
        ({"idempotency_key": 4711}, "should be a valid string (it is 4711)"),
        ({"service": "a b"}, "must be 1 to 64 printable ASCII characters, no spaces (it is 'a b')"),
        ({"service": ""}, "must be 1 to 64 printable ASCII characters, no spaces (it is '')"),
        ({"service": "s" * 65}, "must be 1 to 64 printable ASCII characters, no spaces (it is 'sss"),
        ({"not_before": "tomorrow"}, "must be a time with a zone"),
        ({"not_before": True}, "must be a time with a zone"),
        ({"not_before": float("nan")}, "must be a time with a zone"),
        ({"not_before": datetime(2030, 1, 1)}, f"{WITH_ZONE} (it is 2030-01-01 00:00:00)"),  # noqa: DTZ001 - naive
        ({"expires_at": "2030-01-01T00:00:00"}, f"{WITH_ZONE} (it is '2030-01-01T00:00:00')"),
        ({"expires_at": "2030-01-01"}, f"{WITH_ZONE} (it is '2030-01-01')"),
        ({"expires_at": NOON, "not_before": NOON}, "must be later than not_before"),
        ({"expires_at": NOON - timedelta(seconds=1), "not_before": NOON}, "must be later than not_before"),
        ({"not_before": 1_700_000_000}, "must be a time with a zone, like 2026-05-01T09:00:00Z (it is 1700000000)"),
        ({"event_time": "1700000000"}, "must be a time with a zone, like 2026-05-01T09:00:00Z (it is '1700000000')"),
        ({"not_before": "9999-12-31T00:00:00Z"}, "must be in the years 1715 to 2254 (it is '9999-12-31T00:00:00Z')"),
        ({"expires_at": "2255-01-01T00:00:00Z"}, "must be in the years 1715 to 2254 (it is '2255-01-01T00:00:00Z')"),
        ({"event_time": "1714-12-31T00:00:00Z"}, "must be in the years 1715 to 2254 (it is '1714-12-31T00:00:00Z')"),
        ({"priority": 10}, "should be less than or equal to 9 (it is 10)"),
        ({"priority": -1}, "should be greater than or equal to 0 (it is -1)"),
        ({"priority": "high"}, "should be a valid integer, unable to parse string as an integer (it is 'high')"),
        ({"merge": "perhaps"}, "should be a valid boolean, unable to interpret input (it is 'perhaps')"),
        ({"servic": "x"}, "no such field; did you mean service?"),
        ({"idempotencyKey": "x"}, "no such field; did you mean idempotency_key?"),
        ({"delay": 5}, "no such field; known: "),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_by_its_name(options: dict[str, object], reported: str) -> None:
    for path in ("", "_options"):
        (line,) = problems_of(EnqueueOptions, options, path)
        assert line.startswith(f"{'_options.' if path else ''}{next(iter(options))}: {reported}")


def test_options_that_are_right() -> None:
    options = check(
        EnqueueOptions,
        {
            "idempotency_key": "!" + "~" * 127,
            "not_before": NOON.astimezone(timezone(timedelta(hours=5))),
            "expires_at": "2030-01-01T14:00:01+02:00",
            "service": "s" * 64,
        },
    )
    assert options.not_before == NOON
    assert options.expires_at == NOON + timedelta(seconds=1)
    assert check(EnqueueOptions, {}) == EnqueueOptions()
    assert check(EnqueueOptions, {"idempotency_key": None, "not_before": None}) == EnqueueOptions()


def test_what_a_row_does_not_say_of_its_options_is_as_for_all_rows() -> None:
    """Whether it says it as a mapping or as a model, whose defaults are nothing that was said."""
    for own in ({"idempotency_key": "k"}, EnqueueOptions(idempotency_key="k")):
        order = make_new_job({**OK, "_options": own}, {"priority": 5, "expires_while_held": True, "service": "s"})
        assert (order.idempotency_key, order.priority, order.expires_while_held, order.service) == ("k", 5, True, "s")
    order = make_new_job({**OK, "_options": EnqueueOptions(priority=0)}, {"priority": 5})
    assert order.priority == 0


def test_the_typed_options_are_all_options() -> None:
    assert list(Options.__annotations__) == list(EnqueueOptions.model_fields)


@pytest.mark.parametrize("job_id", ["", "a b", "ä", "x" * 129, "a\n"])
def test_an_ambiguous_job_id_is_refused(producer: Producer, job_id: str) -> None:
    with pytest.raises(InvalidJobError, match="job_id: must be text of 1 to 128 letters"):
        producer.enqueue(OK, job_id=job_id)
