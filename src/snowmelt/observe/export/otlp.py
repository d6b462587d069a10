"""The OpenTelemetry SDK, set up for traces: the one place that knows it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from snowmelt import __version__
from snowmelt.observe.export.config import OtelConfig
from snowmelt.observe.export.described import Described
from snowmelt.observe.export.outbox import Exporter

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_asked_for(config: OtelConfig | None, environ: Mapping[str, str]) -> bool:
    """Are traces asked for, by the settings or by OpenTelemetry's own variables?"""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    return config is not None or any(environ.get(name) for name in _ENDPOINTS)


def make_traces(config: OtelConfig | None, described: Described) -> Exporter:
    """Return an exporter whose spans are sent by OTLP over HTTP.

    A receiver that is away is OpenTelemetry's to log, and it does so once a minute.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from snowmelt.observe.export.traces import Traces

    named = {"service.version": __version__, "snowmelt.project": described.name}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        named["service.name"] = "snowmelt"
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    endpoint = config.endpoint if config else None
    exporter = OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))

    def close(seconds: float) -> None:
        """Let the SDK send what it has; its own patience is longer than ours."""
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(seconds)

    tracer = provider.get_tracer("snowmelt", __version__)
    return Traces(tracer, described.database, close)
