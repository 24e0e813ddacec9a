"""Turns samples into the metrics that Prometheus reads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lanes.activity.series import Histogram
from worker.metrics.catalogue import OF_LOOPS, MetricKind, MetricSpec
from worker.safety.supervisor import LoopFailures

# Powers of two in milliseconds, up to 1.5 days, as the buckets of `lanes.activity.series`.
BOUNDS = tuple(2.0**power / 1000 for power in range(1, 28))

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
_FAMILIES: dict[MetricKind, type[Family]] = {
    MetricKind.COUNTER: CounterMetricFamily,
    MetricKind.GAUGE: GaugeMetricFamily,
    MetricKind.HISTOGRAM: HistogramMetricFamily,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a metric, with the values of its labels in order."""

    name: str
    value: float | Histogram
    labels: tuple[str, ...] = ()


def collect(catalogue: Sequence[MetricSpec], samples: Iterable[Sample]) -> list[Metric]:
    """Return the metrics that have a value, in the order of the catalogue.

    Raises:
        KeyError: a sample's name is not in the catalogue.
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
    """Collects the metrics of a catalogue; `samples` returns their values."""

    def __init__(self, catalogue: Sequence[MetricSpec], samples: Callable[[], Iterable[Sample]]) -> None:
        self._catalogue = catalogue
        self._samples = samples

    def describe(self) -> Iterable[Metric]:
        """Return all metrics without values."""
        return map(_family, self._catalogue)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics that have values."""
        return collect(self._catalogue, self._samples())


def loops_collector(failures: LoopFailures) -> CatalogueCollector:
    """Return a collector of the failures of this process's background loops."""
    return CatalogueCollector(
        OF_LOOPS, lambda: [Sample(OF_LOOPS[0].name, count, (loop,)) for loop, count in failures.counts.items()]
    )


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
    return _FAMILIES[spec.kind](spec.name, spec.description, labels=spec.labels)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    buckets = [(str(bound), float(histogram.at_most(bound))) for bound in BOUNDS]
    return [*buckets, ("+Inf", float(histogram.total))]
