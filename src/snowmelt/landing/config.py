"""The keys of `landing:` in snowmelt.yml, and how durations are written."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _parse_duration(given: Any) -> Any:
    if isinstance(given, timedelta):
        return given
    match = _DURATION.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise ValueError("write a number and a unit, such as 200ms, 2s, 5m, 1h or 1d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


Duration = Annotated[timedelta, BeforeValidator(_parse_duration, str)]


def duration_field(default: str, description: str) -> Any:
    """Return a field whose default is shown as it is written, with its unit."""
    return Field(
        _parse_duration(default),
        description=description,
        json_schema_extra={"default": default},
    )


class LandingConfig(BaseModel):
    """Where files arrive, and when one is taken to be whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field("landing", description="Folder, relative to the project.")
    settle: Duration = duration_field(
        "2s",
        "How long a file must rest before it counts as whole, "
        "unless it was renamed into place.",
    )
    settle_max: Duration = duration_field(
        "30s", "How long `snowmelt run` waits for files that keep changing."
    )
    refresh_every: Duration = duration_field(
        "30s", "How often the folder is listed, whatever was notified."
    )
