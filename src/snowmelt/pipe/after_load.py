"""What is done with a file once its load is committed: archived, tagged or purged.

The load's transaction writes down what is due; it is carried out afterwards, and
marked as done. What a killed process left due is done again, which does no harm: a
file that is gone, or is another version by now, is left alone.

An archive lies in a hidden folder of the stage. No listing and no notification ever
shows what is below one, whatever the pipes say later, so that an archived version
cannot come back as if it were new.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from snowmelt.landing.stage import find_hidden
from snowmelt.pipe.history import LoadRecord, LoadStatus
from snowmelt.warehouse.port import Session

DUE, DONE, FAILED = "due", "done", "failed"


class Action(StrEnum):
    """What is done with a file."""

    ARCHIVE = "archive"
    TAG = "tag"
    PURGE = "purge"


class AfterLoad(BaseModel):
    """One of three: archive, tag or purge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    archive: str | None = Field(
        None,
        min_length=1,
        description="Move the file below this hidden folder of the stage, "
        "such as .loaded.",
    )
    tag: dict[str, str] | None = Field(
        None, min_length=1, max_length=10, description="Tag the object of a bucket."
    )
    purge: Literal[True] | None = Field(
        None, description="Delete the file if it still is what was loaded."
    )

    @model_validator(mode="after")
    def _is_one(self) -> AfterLoad:
        if sum(each is not None for each in (self.archive, self.tag, self.purge)) != 1:
            raise ValueError("write one of archive, tag and purge")
        if self.archive is not None:
            parts = self.archive.rstrip("/").split("/")
            if any(part in ("", ".", "..") for part in parts) or not find_hidden(parts):
                raise ValueError(
                    f"'{self.archive}' must be a hidden folder of the stage, so that "
                    "archived files are never loaded: write archive: .loaded"
                )
        return self

    @property
    def action(self) -> Action:
        """Return which of the three it is."""
        if self.archive is not None:
            return Action.ARCHIVE
        return Action.TAG if self.tag is not None else Action.PURGE

    @property
    def target(self) -> str | None:
        """Return the archive's folder, or the tags as JSON."""
        return json.dumps(self.tag) if self.tag is not None else self.archive


@dataclass(frozen=True)
class Due:
    """What is to be done with the version of a file that a load was of."""

    load_seq: int
    file_name: str
    pipe_name: str
    action: Action
    target: str | None
    content_sha256: str | None = None


def insert_due(
    session: Session,
    config: AfterLoad | None,
    records: Iterable[LoadRecord],
    now: datetime,
) -> None:
    """Write down what is due for loads that have rows; in their transaction."""
    loaded = (LoadStatus.LOADED, LoadStatus.PARTIALLY_LOADED)
    due = [each for each in records if each.status in loaded]
    if config is None or not due:
        return
    session.insert(
        "snowmelt.after_load",
        {
            "load_seq": [each.load_seq for each in due],
            "file_name": [each.file_name for each in due],
            "pipe_name": [each.pipe_name for each in due],
            "action": [str(config.action)] * len(due),
            "target": [config.target] * len(due),
            "state": [DUE] * len(due),
            "changed_at": [now] * len(due),
        },
    )


def due_actions(session: Session, limit: int = 100) -> list[Due]:
    """Return what is due, oldest load first."""
    rows = session.rows(
        "select due.load_seq, due.file_name, due.pipe_name, due.action, due.target, "
        "history.content_sha256 from snowmelt.after_load as due "
        "join snowmelt.load_history as history using (load_seq) "
        "where due.state = 'due' order by due.load_seq limit $1",
        [limit],
    )
    return [
        Due(seq, name, pipe, Action(action), target, sha)
        for seq, name, pipe, action, target, sha in rows
    ]


def close_actions(
    session: Session, ended: Sequence[tuple[Due, str | None, str]], now: datetime
) -> None:
    """Note how actions ended, and what there is to say; in the caller's transaction."""
    for due, told, state in ended:
        session.execute(
            "update snowmelt.after_load set state = $1, error = $2, changed_at = $3 "
            "where load_seq = $4 and state = 'due'",
            [state, told, now, due.load_seq],
        )
