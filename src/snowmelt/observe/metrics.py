"""Numbers for Prometheus: what was counted since the service began, what stands now.

Labels are pipes, load statuses, states, ways, rules and sinks: never files or models,
of which there may be any number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from snowmelt.errors import UnreachableError
from snowmelt.events import (
    CopyFinished,
    Event,
    FileSettled,
    RejectsReplayed,
    RunFinished,
)

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


@dataclass(frozen=True)
class Standing:
    """How things stand when it is asked, by pipe.

    A pipe into which nothing was ever loaded has no lag. Messages of alerts are counted
    by sink and state, as long as they are kept.
    """

    pending_files: Mapping[str, int]
    lag_seconds: Mapping[str, float]
    log_rows_lost: int
    alerts_open: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[tuple[str, str], int] = field(default_factory=dict)


class Metrics:
    """A sink that counts; `standing` is asked each time the numbers are read."""

    def __init__(self, standing: Callable[[], Standing]) -> None:
        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry)
        seconds = partial(Histogram, registry=self._registry, buckets=SECONDS)
        self._files = counter(
            "snowmelt_files_settled", "Files dealt with.", ["pipe", "status"]
        )
        self._loaded = counter("snowmelt_rows_loaded", "Rows loaded.", ["pipe"])
        self._rejected = counter("snowmelt_rows_rejected", "Records refused.", ["pipe"])
        self._copies = seconds(
            "snowmelt_copy_seconds", "Seconds from dispatch to commit.", ["pipe"]
        )
        self._failed = counter(
            "snowmelt_copies_failed", "Batches of which nothing was copied.", ["pipe"]
        )
        self._runs = counter("snowmelt_runs", "Runs that ended.", ["state", "way"])
        self._run_seconds = seconds("snowmelt_run_seconds", "Seconds of a run.")
        self._registry.register(_Standing(standing))

    def __call__(self, event: Event) -> None:
        """Count one event; from any thread."""
        if isinstance(event, FileSettled):
            self._files.labels(event.pipe_name, event.status).inc()
            self._loaded.labels(event.pipe_name).inc(event.row_count)
            self._rejected.labels(event.pipe_name).inc(event.error_count)
        elif isinstance(event, RejectsReplayed):
            self._loaded.labels(event.pipe_name).inc(event.row_count)
        elif isinstance(event, CopyFinished):
            seconds = (event.ended_at - event.started_at).total_seconds()
            self._copies.labels(event.pipe_name).observe(max(seconds, 0.0))
            self._failed.labels(event.pipe_name).inc(event.problem is not None)
        elif isinstance(event, RunFinished):
            self._runs.labels(event.state, event.way).inc()
            self._run_seconds.observe(event.seconds)

    def serve(self, port: int | None) -> Callable[[], None]:
        """Answer scrapes on loopback, if there is a port; return what ends it.

        Raises UnreachableError when the port is taken.
        """
        if port is None:
            return lambda: None
        try:
            server, thread = start_http_server(port, "127.0.0.1", self._registry)
        except OSError as error:
            raise UnreachableError(
                f"127.0.0.1:{port}",
                f"the numbers cannot be served there: {error.strerror}",
                "Choose another port: snowmelt up --metrics-port PORT",
            ) from None

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join(10)

        return end

    def read(self) -> tuple[str, bytes]:
        """Return the numbers as Prometheus reads them: content type and content."""
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)


class _Standing(Collector):
    """Numbers that are not counted but looked up."""

    def __init__(self, standing: Callable[[], Standing]) -> None:
        self._standing = standing

    def describe(self) -> list[Metric]:
        """Name no numbers beforehand: to name them they would be looked up."""
        return []

    def collect(self) -> Iterator[Metric]:
        now = self._standing()
        pending = GaugeMetricFamily(
            "snowmelt_pending_files", "Files that wait.", labels=["pipe"]
        )
        for pipe, count in now.pending_files.items():
            pending.add_metric([pipe], count)
        lag = GaugeMetricFamily(
            "snowmelt_lag_seconds", "Seconds since rows were loaded.", labels=["pipe"]
        )
        for pipe, seconds in now.lag_seconds.items():
            lag.add_metric([pipe], seconds)
        lost = CounterMetricFamily(
            "snowmelt_log_rows_lost", "Rows of the log that could not be kept."
        )
        lost.add_metric([], now.log_rows_lost)
        yield from (pending, lag, lost, *_of_alerts(now))


def _of_alerts(now: Standing) -> Iterator[Metric]:
    opened = GaugeMetricFamily(
        "snowmelt_alerts_open", "Alerts that are open.", labels=["rule"]
    )
    for rule, count in now.alerts_open.items():
        opened.add_metric([rule], count)
    deliveries = GaugeMetricFamily(
        "snowmelt_alert_deliveries",
        "Messages of alerts that are due, sent, failed or dropped, while kept.",
        labels=["sink", "state"],
    )
    for (sink, state), count in now.deliveries.items():
        deliveries.add_metric([sink, state], count)
    yield from (opened, deliveries)
