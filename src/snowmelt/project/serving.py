"""Where the pages are: `serve:` in snowmelt.yml."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, ConfigDict, Field, field_validator

DEFAULT_PORT = 8321


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
    def is_loopback(self) -> bool:
        """Does it answer this machine alone?"""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
