"""Where the pages are: `serve:` in snowmelt.yml."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from snowmelt.landing.config import Duration, duration_field
from snowmelt.warehouse.memory import memory_bytes

DEFAULT_PORT = 8321
_SQL_MEMORY_MIN = 1 << 26


class ServeConfig(BaseModel):
    """Where a running service shows its pages and answers over HTTP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pages: bool = Field(True, description="Does `snowmelt up` serve pages at all?")
    host: str = Field(
        "127.0.0.1",
        description="The address that is listened on. One that other machines reach "
        "needs users (`snowmelt users add`) or a token.",
    )
    port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="8321 without it, or the next one that is free; 0 takes any. "
        "When one that is written here is taken, the service goes on without pages.",
    )
    names: list[str] = Field(
        default_factory=list,
        description="Names by which browsers reach the pages besides `localhost`, "
        "such as one of a proxy before them.",
    )
    token: str | None = Field(
        None,
        min_length=16,
        description="What programs give as `Authorization: Bearer`, to read and not "
        "to act. Best from the environment: `${SNOWMELT_TOKEN}`.",
    )

    sql: Literal["off", "operators", "viewers"] = Field(
        "operators",
        description="Who may ask queries on the SQL page. Viewers ask what is "
        "published, and nothing else.",
    )
    sql_timeout: Duration = duration_field("30s", "How long one query may take.")
    sql_memory: str = Field(
        "1GB", description="The memory of one query that is asked in a child process."
    )
    sql_rows_max: int = Field(
        100_000, ge=1, description="Rows of a download of the SQL page, at most."
    )

    @field_validator("sql_memory")
    @classmethod
    def _is_size(cls, given: str) -> str:
        if memory_bytes(given, 0) < _SQL_MEMORY_MIN:
            raise ValueError("the engine needs 64MB at least")
        return given

    @field_validator("sql_timeout")
    @classmethod
    def _is_bounded(cls, given: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= given <= timedelta(minutes=10):
            raise ValueError("write between 1s and 10m")
        return given

    @field_validator("host")
    @classmethod
    def _is_address(cls, given: str) -> str:
        if given != "localhost":
            try:
                ipaddress.ip_address(given)
            except ValueError:
                raise ValueError(
                    "write an address, such as 127.0.0.1 or 0.0.0.0"
                ) from None
        return given

    @property
    def sql_memory_bytes(self) -> int:
        """What `sql_memory` comes to."""
        return memory_bytes(self.sql_memory, 0)

    @property
    def is_loopback(self) -> bool:
        """Does it answer this machine alone?"""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
