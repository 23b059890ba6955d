"""`GET /metrics` for Prometheus: requests by route and status, their time, the queue, batches and slots.

Labels are bounded: a route is one of the server's own templates, a status a number; never a name that a client chose.
The engine's own figures are read when they are asked for.
"""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from compress.serving.admission import Admission
from compress.serving.backend import BATCH_ROWS, Backend, Statistics

OTHER = "other"
"""The route of what no route takes."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds


class Metrics:
    """Of one server, in a registry of its own, so that several may live in one process."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, backend: Backend, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        requests = Counter("compress_requests", "Answered requests.", ["route", "status"], registry=self._registry)
        seconds = Histogram(
            "compress_request_seconds", "From the headers of a request to its last byte.", ["route"],
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip
        in_flight = Gauge("compress_requests_in_flight", "Requests that are not answered yet.", registry=self._registry)
        in_flight.set_function(lambda: admission.in_flight)
        self._registry.register(EngineFigures(backend))
        self._requests, self._seconds = requests, seconds
        self._counters: dict[tuple[str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def record(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request; the children are kept, since looking one up costs more than counting."""
        counter = self._counters.get((route, status))
        if counter is None:
            counter = self._counters[route, status] = self._requests.labels(route, str(status))
        histogram = self._histograms.get(route)
        if histogram is None:
            histogram = self._histograms[route] = self._seconds.labels(route)
        counter.inc()
        histogram.observe(seconds)

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self._registry)


class EngineFigures(Collector):
    """What the engine counts itself."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        now = self._backend.statistics()
        yield GaugeMetricFamily("compress_queue_rows", "Rows that wait for a batch.", now.waiting)
        yield GaugeMetricFamily("compress_queue_capacity_rows", "Rows that may wait.", now.queue)
        yield GaugeMetricFamily("compress_slots", "Slots for adapters; 0 for a bundle.", now.slots)
        yield GaugeMetricFamily("compress_slots_used", "Slots that hold an adapter.", now.slots_used)
        yield CounterMetricFamily("compress_batches", "Batches that were run.", now.batches)
        yield _batch_rows(now)
        yield CounterMetricFamily("compress_rows", "Rows that were answered.", now.rows)
        yield CounterMetricFamily("compress_tokens", "Tokens of these rows, without padding.", now.tokens)
        yield CounterMetricFamily("compress_padded_tokens", "Tokens of these rows, with padding.", now.padded_tokens)
        yield CounterMetricFamily("compress_rows_expired", "Rows whose deadline had passed.", now.expired)
        yield CounterMetricFamily("compress_rows_failed", "Rows that got an error.", now.failed)
        yield CounterMetricFamily("compress_busy_seconds", "Time in which a batch was running.", now.busy_seconds)
        yield CounterMetricFamily("compress_adapter_loads", "Adapters written into a slot.", now.loads)
        yield CounterMetricFamily("compress_adapter_evictions", "Adapters that had to leave a slot.", now.evictions)


def _batch_rows(now: Statistics) -> Metric:
    """Failed rows are part of their batch."""
    bounds = [*(f"{rows:.1f}" for rows in BATCH_ROWS), "+Inf"]
    buckets = list(zip(bounds, accumulate(now.batches_by_rows), strict=True))
    rows = now.rows + now.failed
    return HistogramMetricFamily("compress_batch_rows", "Rows that were run together.", buckets=buckets, sum_value=rows)
