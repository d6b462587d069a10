"""Which files are copied together, as a decision without a clock or a disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.landing.config import Duration, duration_field
from snowmelt.landing.stage import StagedFile


class LoadConfig(BaseModel):
    """The limits of one batch. A batch is one commit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_files_max: int = Field(1000, ge=1, description="Files in one commit.")
    batch_bytes_max: int = Field(
        256 * 1024 * 1024, ge=1, description="Bytes in one commit; one file at least."
    )
    lanes_max: int = Field(
        2, ge=1, le=16, description="Pipes that load at the same time."
    )
    tries_max: int = Field(
        3,
        ge=1,
        description="How often a file may kill the process that reads it before it "
        "is held.",
    )
    retry_after: Duration = duration_field(
        "5s", "When loads that failed for want of disk, memory or the stage go on."
    )
    linger: Duration = duration_field("0s", "How long a batch waits for more files.")


@dataclass(frozen=True)
class Pending:
    """A whole file that waits for its pipe.

    `interrupted`: how many attempts at it were cut off. `alone`: a batch with it
    failed as a whole. `reload`: a person wants it loaded although it is loaded.
    `fresh`: its path was never dealt with, nor held.
    """

    file: StagedFile
    pipe_name: str
    since: datetime
    interrupted: int = 0
    alone: bool = False
    reload: bool = False
    fresh: bool = False


def due(pending: Sequence[Pending], now: datetime, config: LoadConfig) -> list[Pending]:
    """Choose the next batch of one pipe, oldest file first; empty means wait.

    A batch goes when it is full or when its oldest file has lingered long enough. A
    file whose last attempt was cut off, or with which a batch failed, goes last and
    alone, so that one that kills the process cannot take others with it.
    """
    ordered = sorted(pending, key=lambda each: (each.file.mtime_ns, each.file.name))
    alone = [each for each in ordered if each.interrupted or each.alone]
    if alone:
        ordered = [each for each in ordered if not (each.interrupted or each.alone)]
    if not ordered:
        return alone[:1]
    chosen: list[Pending] = []
    size = 0
    for each in ordered:
        full = len(chosen) == config.batch_files_max
        if chosen and (full or size + each.file.size > config.batch_bytes_max):
            return chosen
        chosen.append(each)
        size += each.file.size
    oldest = min((each.since for each in chosen), default=now)
    lingers = timedelta(0) <= now - oldest < config.linger  # the clock may be put back
    return [] if lingers else chosen
