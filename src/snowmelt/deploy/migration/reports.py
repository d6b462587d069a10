"""Reports of moves: what was shipped and compared, kept beside the warehouse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from snowmelt.deploy.migration.migration import Moved, Proof
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


def last_move(project: Project, target: str) -> int | None:
    """Return the last load that was moved to a target, as the newest report says."""
    found = sorted(_folder(project).glob(f"{target}-????????T??????.json"))
    return int(json.loads(found[-1].read_text())["last_load"]) if found else None


def _folder(project: Project) -> Path:
    return project.state / "migrations"
