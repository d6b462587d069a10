"""What is known of each place that gold is published to, in a file beside it.

The place itself is the truth of what it has; this says how the last tries went, so
that `status`, `doctor` and alerts can tell of an outage, after a restart, too.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

FILE = "record.json"


@dataclass(frozen=True)
class Record:
    """How publishing to a place stands.

    `into`: the schema there. `run_id`: the run that it has. `problem`: why the last
    try failed; None if it went well. `failing_since`, `tries`: since when, and how
    often in a row.
    """

    name: str
    kind: str
    where: str
    into: str = "gold"
    is_embedded: bool = False
    run_id: str | None = None
    published_at: str | None = None
    seconds: float | None = None
    tables: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str | None = None
    remedy: str = ""
    failing_since: str | None = None
    tried_at: str | None = None
    tries: int = 0

    def failed(self, problem: str, remedy: str, now: datetime) -> Record:
        """Return this after a try that failed."""
        return replace(
            self,
            problem=problem,
            remedy=remedy,
            failing_since=self.failing_since or now.isoformat(),
            tried_at=now.isoformat(),
            tries=self.tries + 1,
        )


def read_record(folder: Path) -> Record | None:
    """Return what is known of a place; None where nothing is, or nothing readable."""
    try:
        return Record(**json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_record(folder: Path, record: Record) -> None:
    """Put it down; that it cannot be written stops nothing."""
    arriving = folder / f".{FILE}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        arriving.write_text(json.dumps(asdict(record)))
        arriving.replace(folder / FILE)
