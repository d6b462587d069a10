"""Reports of moves: what was shipped and compared, kept beside the warehouse."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from snowmelt.deploy.migration.migration import Moved
from snowmelt.deploy.migration.proof import Proof
from snowmelt.errors import UsageError
from snowmelt.project.project import Project


def document_of(
    target: str, plan: Sequence[Moved], proofs: Sequence[Proof]
) -> dict[str, Any]:
    """Return a move as `--json` and reports have it; without proofs it is a plan."""
    history = plan[0]
    last = history.pieces[-1].last if history.pieces else history.shipped.after
    return {
        "schema_version": 1,
        "target": target,
        "last_load": last[0],
        "tables": [each.document for each in plan],
        "proofs": [each.document for each in proofs],
        "alike": all(each.is_alike for each in proofs) if proofs else None,
    }


def write_report(
    project: Project, target: str, document: dict[str, Any], began_at: datetime
) -> Path:
    """Write a report; return where it is."""
    folder = _folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target}-{began_at:%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return path


@contextmanager
def one_at_a_time(project: Project, target: str) -> Iterator[None]:
    """Let nobody else move to this target from here for the length of a block.

    Two who copy one piece at a time would not see each other's record before they end.
    """
    folder = _folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{target}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"--to {target}",
                "another process moves this project there now",
                "Wait until it has ended; then this one goes on where it came to.",
            ) from None
        yield


def last_move(project: Project, target: str) -> int | None:
    """Return the last load that was moved to a target, as the newest report says."""
    found = sorted(_folder(project).glob(f"{target}-????????T??????.json"))
    return int(json.loads(found[-1].read_text())["last_load"]) if found else None


def _folder(project: Project) -> Path:
    return project.state / "migrations"
