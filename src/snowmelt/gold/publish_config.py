"""The limits of a publication, as snowmelt.yml has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from snowmelt.landing.config import Duration, duration_field
from snowmelt.pipe.definition import Name
from snowmelt.transform.target_lag import read_lag

EMBEDDED = "embedded"
"""Instead of an address: a Postgres that we start ourselves."""


class PublishTarget(BaseModel):
    """A place outside of the warehouse where gold is published, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    postgres: str | None = Field(
        None,
        min_length=1,
        description="The address of a database, `postgresql://user@host:5432/name`, "
        "best as `${NAME}` of the environment; or `embedded`: a Postgres on this "
        "machine that starts and stops with the service.",
    )
    parquet: str | None = Field(
        None, min_length=1, description="A folder, or s3://BUCKET/PREFIX."
    )
    into: str = Field(
        "gold",
        pattern=r"^[a-z_][a-z0-9_]*$",
        description="The schema in Postgres that tables are published into.",
    )
    grant_to: list[str] = Field(
        default_factory=list, description="Roles in Postgres that may read the tables."
    )
    schedule: str | None = Field(
        None, description="When, as cron; after every run that changed gold without it."
    )
    versions_max: int = Field(
        3, ge=2, description="Versions of Parquet files that stay, the newest counted."
    )
    versions_keep: Duration = duration_field(
        "1h", "How long a version of Parquet files stays at least, for its readers."
    )

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, given: str | None) -> str | None:
        if given is not None:
            try:
                CronSim(given, datetime(2026, 1, 1, tzinfo=UTC))
            except CronSimError as error:
                raise ValueError(f"this is no schedule: {error}") from None
        return given

    @model_validator(mode="after")
    def _is_one_kind(self) -> PublishTarget:
        if (self.postgres is None) == (self.parquet is None):
            raise ValueError("write one of postgres and parquet")
        return self

    @property
    def kind(self) -> str:
        return "postgres" if self.postgres else "parquet"


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

    to: dict[Name, PublishTarget] = Field(
        default_factory=dict,
        description="Places outside of the warehouse where gold is published, too, by "
        "name.",
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
