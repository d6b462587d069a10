"""The limits of a publication, as snowmelt.yml has them."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, field_validator

from snowmelt.landing.config import Duration, duration_field
from snowmelt.transform.target_lag import read_lag


class PublishConfig(BaseModel):
    """The limits of a publication."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    failing_rows_max: int = Field(
        20, ge=0, description="Failing rows kept of each test that failed or warned."
    )
    wait_max: Duration = duration_field(
        "10s", "How long loaded rows wait for more files before a run."
    )
    target_lag: str | None = Field(
        None,
        description="How stale models may become that say nothing else and that no "
        "other model reads, as in `5 minutes`; null: they are made as soon as "
        "possible.",
    )
    anomaly_factor: float = Field(
        3,
        ge=0,
        description="A load with so many times more or fewer rows than its pipe's "
        "recent loads is told of; 0 asks for nothing.",
    )
    anomaly_loads_min: int = Field(
        8, ge=2, description="Loads of a pipe that have to be known for that."
    )

    @field_validator("target_lag")
    @classmethod
    def _is_a_lag(cls, given: str | None) -> str | None:
        if given is not None:
            read_lag(given)
        return given

    @property
    def default_lag(self) -> timedelta | None:
        """What `target_lag` comes to."""
        return None if self.target_lag is None else read_lag(self.target_lag)
