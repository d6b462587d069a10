"""Who is told of loads and runs outside of Snowmelt."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.landing.config import Duration, duration_field

_STRICT = ConfigDict(extra="forbid", frozen=True)


class OtelConfig(BaseModel):
    """Traces by OpenTelemetry. What is not said here, OTEL_* variables say."""

    model_config = _STRICT

    endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="The collector's address for OTLP over HTTP, without /v1/traces.",
    )
    statements: bool = Field(
        True, description="Is each statement of a run a span, with its SQL?"
    )


class OpenLineageConfig(BaseModel):
    """Lineage by OpenLineage. What is not said here, OPENLINEAGE_* variables say."""

    model_config = _STRICT

    url: str | None = Field(
        None, pattern=r"^https?://", description="The address of the backend."
    )
    namespace: str | None = Field(
        None, description="The namespace of jobs; the project's name without it."
    )


class ObserveConfig(BaseModel):
    """Who is told of loads and runs, and how much may wait to be told."""

    model_config = _STRICT

    otel: OtelConfig | None = Field(
        None, description="Traces; also on where OTEL_EXPORTER_OTLP_ENDPOINT is set."
    )
    openlineage: OpenLineageConfig | None = Field(
        None, description="Lineage; also on where OPENLINEAGE_URL is set."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="A port of 127.0.0.1 on which a service answers Prometheus; on "
        "its socket it does always.",
    )
    waiting_events_max: int = Field(
        10_000,
        ge=100,
        description="Events that may wait for a slow receiver; then the oldest are "
        "lost.",
    )
    close_within: Duration = duration_field(
        "3s", "How long a service that stops waits for the last events to be told."
    )

    @property
    def close_seconds(self) -> float:
        """Return `close_within` in seconds."""
        return timedelta.total_seconds(self.close_within)
