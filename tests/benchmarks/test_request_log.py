import pytest

from benchmarks.charts import distribution
from benchmarks.figures import BenchmarkError
from benchmarks.plan import Limit
from benchmarks.request_log import (
    Request,
    check_each_delivered_once,
    mean_count,
    percentile,
    safe_rule_seconds,
    sliding_counts,
    span,
)


def request(arrived: float, latency: float = 1.0, contact: str = "c", status: int = 200) -> Request:
    return Request("loc", contact, arrived, arrived + latency, status, status == 429)


@pytest.mark.parametrize(
    ("latencies", "seconds"),
    [
        ([1.0, 1.0], 0.0),
        ([1.0, 1.0, 1.0], 11.0),
        ([1.0, 3.0, 1.0, 1.0], 13.0),  # the fourth needs the slot of the slow second
        ([1.0, 3.0, 9.0, 1.0], 13.0),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 20.0),
    ],
)
def test_the_safe_rule_gives_a_slot_back_one_window_after_its_response(latencies: list[float], seconds: float) -> None:
    requests = [request(place, latency) for place, latency in enumerate(latencies)]
    assert safe_rule_seconds(requests, Limit(2, 10)) == seconds


def test_the_window_slides() -> None:
    assert sliding_counts([5.0, 6.0], 10) == ([0.0, 1.0, 10.0, 11.0], [1, 2, 1, 0])


def test_a_request_leaves_the_window_before_another_comes_at_the_same_instant() -> None:
    assert max(sliding_counts([0.0, 10.0], 10)[1]) == 1


def test_the_mean_count_is_that_between_two_times() -> None:
    assert mean_count([0.0, 10.0, 20.0, 30.0], 10, begin=10.0, until=30.0) == 1
    assert mean_count([0.0, 15.0], 10, begin=10.0, until=20.0) == 0.5
    assert mean_count([0.0, 0.0], 10, begin=5.0, until=10.0) == 2


def test_percentiles_are_values() -> None:
    values = [float(value) for value in range(200, 0, -1)]
    assert (percentile(values, 50), percentile(values, 99), percentile(values, 100)) == (100, 198, 200)
    assert percentile([7.0], 99) == 7


def test_spans_and_distributions() -> None:
    assert span([request(3), request(1), request(2)]) == 2
    curve = distribution("lanes", [3.0, 1.0])
    assert (list(curve.xs), list(curve.ys)) == ([1.0, 3.0], [50, 100])


@pytest.mark.parametrize("contacts", [["a"], ["a", "b", "b"], ["a", "b", "c"]])
def test_what_is_missing_or_too_many_is_an_error(contacts: list[str]) -> None:
    seen = [request(0, contact="a"), request(1, contact="b"), request(2, contact="c", status=429)]
    check_each_delivered_once("lanes", seen, ["b", "a"])
    with pytest.raises(BenchmarkError):
        check_each_delivered_once("lanes", seen, contacts)
