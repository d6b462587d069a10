"""The keys of snowmelt.yml: each stage's own, put together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from snowmelt.gold.audit import AuditConfig
from snowmelt.gold.publish_config import PublishConfig
from snowmelt.gold.vacuum import RetentionConfig
from snowmelt.landing.config import LandingConfig
from snowmelt.observe.alerts.config import AlertsConfig
from snowmelt.observe.export.config import ObserveConfig
from snowmelt.observe.pipeline_log import LogConfig
from snowmelt.pipe.batch import LoadConfig
from snowmelt.pipe.definition import Name
from snowmelt.pipe.file_format import FileFormat
from snowmelt.project.serving import ServeConfig
from snowmelt.project.targets import LOCAL, TargetConfig
from snowmelt.transform.tasks.config import TaskConfig
from snowmelt.warehouse.memory import DEFAULT, machine_memory, memory_bytes

_SCHEMAS_TAKEN = (
    *("snowmelt", "quarantine", "changes"),
    *("information_schema", "pg_catalog"),
)


class WarehouseConfig(BaseModel):
    """Where tables live, and how much of the machine the engine may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(".snowmelt/warehouse.duckdb", description="The database file.")
    threads: int | None = Field(None, ge=1, description="All cores without it.")
    memory_limit: str = Field(
        DEFAULT,
        description="A size such as `6GB`, or a percent of the memory of this machine "
        "or its container: then no less than 1200MB, or half of all if that is less. "
        "What does not fit is put on disk for the time being, and that is told.",
    )

    @field_validator("memory_limit", mode="before")
    @classmethod
    def _is_memory(cls, given: Any) -> Any:
        memory_bytes(str(given), machine_bytes=0)
        return given

    @property
    def memory_bytes(self) -> int:
        """What `memory_limit` comes to on this machine."""
        return memory_bytes(self.memory_limit, machine_memory())


class LayersConfig(BaseModel):
    """The schemas that tables are made in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bronze: Name = Field("bronze", description="The schema that pipes load into.")
    default: Name = Field(
        "main",
        description="The schema of models that name none, as `schema` in a dbt "
        "profile.",
    )

    @field_validator("bronze", "default")
    @classmethod
    def _is_free(cls, given: str) -> str:
        if given in _SCHEMAS_TAKEN:
            raise ValueError("this schema is for other tables: choose another name")
        return given


class Settings(BaseModel):
    """A project's snowmelt.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = Field(description="The version of this file's format.")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="The project's name.")
    landing: LandingConfig = Field(default_factory=LandingConfig)
    load: LoadConfig = Field(default_factory=LoadConfig)
    warehouse: WarehouseConfig = Field(default_factory=WarehouseConfig)
    layers: LayersConfig = Field(default_factory=LayersConfig)
    file_formats: dict[Name, FileFormat] = Field(
        default_factory=dict, description="File formats that pipes share, by name."
    )
    publish: PublishConfig = Field(default_factory=PublishConfig)
    audit: AuditConfig = Field(default_factory=AuditConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    alerts: AlertsConfig = Field(default_factory=AlertsConfig)
    observe: ObserveConfig = Field(default_factory=ObserveConfig)
    retention: RetentionConfig = Field(default_factory=RetentionConfig)
    tasks: dict[Name, TaskConfig] = Field(
        default_factory=dict, description="A graph of tasks, by name; see tasks.md."
    )
    serve: ServeConfig = Field(default_factory=ServeConfig)
    targets: dict[Name, TargetConfig] = Field(
        default_factory=dict,
        description="Where else the project can live, by name; see targets.md. "
        "`local` is always there.",
    )

    @field_validator("targets")
    @classmethod
    def _local_is_local(cls, given: dict[str, Any]) -> dict[str, Any]:
        if getattr(given.get(LOCAL), "type", LOCAL) != LOCAL:
            raise ValueError("'local' is this machine: give the other one another name")
        return given
