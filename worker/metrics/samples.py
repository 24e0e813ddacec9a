"""From values to what Prometheus reads."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lanes.activity.series import Histogram
from worker.metrics.catalogue import MetricKind, MetricSpec

# Powers of two milliseconds, where the buckets of the lanes end too, up to a day and a half.
BOUNDS = tuple(2.0**power / 1000 for power in range(1, 28))

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a metric, with the values of its labels in their order."""

    name: str
    value: float | Histogram
    labels: tuple[str, ...] = ()


def describe(catalogue: Iterable[MetricSpec]) -> Iterator[Metric]:
    """Return the metrics of a catalogue, without a value."""
    return (_family(each) for each in catalogue)


def collect(catalogue: Sequence[MetricSpec], samples: Iterable[Sample]) -> list[Metric]:
    """Return the metrics of a catalogue that have a value, in its order.

    Raises:
        KeyError: a sample has a name that the catalogue does not know.
    """
    found: dict[str, list[Sample]] = {each.name: [] for each in catalogue}
    for sample in samples:
        found[sample.name].append(sample)
    metrics: list[Metric] = []
    for spec in catalogue:
        family = _family(spec)
        for sample in found[spec.name]:
            _add(family, sample)
        if family.samples:
            metrics.append(family)
    return metrics


class CatalogueCollector(Collector):
    """Tells Prometheus of the metrics of a catalogue; `samples` returns their values."""

    def __init__(self, catalogue: Sequence[MetricSpec], samples: Callable[[], Iterable[Sample]]) -> None:
        self._catalogue = catalogue
        self._samples = samples

    def describe(self) -> Iterable[Metric]:
        """Return all metrics without a value."""
        return describe(self._catalogue)

    def collect(self) -> Iterable[Metric]:
        """Return them with their values."""
        return collect(self._catalogue, self._samples())


def _add(family: Family, sample: Sample) -> None:
    value = sample.value
    if isinstance(family, HistogramMetricFamily) and isinstance(value, Histogram):
        family.add_metric(sample.labels, _buckets(value), value.seconds)
    elif not isinstance(family, HistogramMetricFamily) and not isinstance(value, Histogram):
        family.add_metric(sample.labels, value)
    else:
        message = f"{sample.name}: a {family.type} cannot have the value {value!r}"
        raise TypeError(message)


def _family(spec: MetricSpec) -> Family:
    match spec.kind:
        case MetricKind.COUNTER:
            return CounterMetricFamily(spec.name, spec.description, labels=spec.labels)
        case MetricKind.HISTOGRAM:
            return HistogramMetricFamily(spec.name, spec.description, labels=spec.labels)
        case _:
            return GaugeMetricFamily(spec.name, spec.description, labels=spec.labels)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    buckets = [(str(bound), float(histogram.at_most(bound))) for bound in BOUNDS]
    return [*buckets, ("+Inf", float(histogram.total))]
