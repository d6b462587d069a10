"""The limits of a publication, as snowmelt.yml has them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.landing.config import Duration, duration_field


class PublishConfig(BaseModel):
    """The limits of a publication."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    failing_rows_max: int = Field(
        20, ge=0, description="Failing rows kept of each test that failed."
    )
    wait_max: Duration = duration_field(
        "10s", "How long loaded rows wait for more files before a run."
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
