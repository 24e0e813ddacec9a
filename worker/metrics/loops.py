"""The background loops of a process, as metrics."""

from worker.metrics.catalogue import OF_LOOPS
from worker.metrics.samples import CatalogueCollector, Sample
from worker.safety.supervisor import LoopFailures


def loops_collector(failures: LoopFailures) -> CatalogueCollector:
    """Return what tells Prometheus how often the loops of this process failed."""
    name = OF_LOOPS[0].name
    return CatalogueCollector(
        OF_LOOPS, lambda: [Sample(name, count, (loop,)) for loop, count in failures.counts.items()]
    )
