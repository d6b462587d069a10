"""The artifacts of past runs, for tools that read dbt's: one folder a run.

`.snowmelt/artifacts/<run_id>/` has manifest.json and run_results.json. Manifests of the
same content are one file with several names (hard links; where there are none, copies).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from snowmelt.transform.dbt_project import SERVICE_FOLDER

log = logging.getLogger("snowmelt")
FOLDER = Path(".snowmelt/artifacts")
MANIFESTS = "manifests"
_RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_OF_ONE_INVOCATION = ("generated_at", "invocation_id", "invocation_started_at", "env")


class KeptArtifacts:
    """Keeps the artifacts of the newest runs, so many and for so long."""

    def __init__(self, root: Path, keep: timedelta, runs_max: int) -> None:
        self._folder = root / FOLDER
        self._manifest = root / SERVICE_FOLDER / "target" / "manifest.json"
        self._keep = keep
        self._runs_max = runs_max
        self._known: tuple[tuple[int, int], Path] | None = None

    def keep(self, run_id: str, results: str, now: datetime) -> None:
        """Keep a run's artifacts, and let go of the oldest.

        That they cannot be kept is told and stops nothing.
        """
        try:
            if self._runs_max:
                self._put(self._folder / run_id, results)
            self._forget(now)
        except (OSError, ValueError) as error:
            log.warning("the artifacts of run %s are not kept: %s", run_id, error)

    def _put(self, folder: Path, results: str) -> None:
        hidden = folder.with_name(f".{folder.name}")
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir(parents=True)
        (hidden / "run_results.json").write_text(results)
        if self._manifest.exists():
            _link(self._one_copy(), hidden / "manifest.json")
        hidden.rename(folder)

    def _one_copy(self) -> Path:
        """Return the kept manifest with the content of the service's own."""
        stat = self._manifest.stat()
        stamp = stat.st_mtime_ns, stat.st_size
        if self._known and self._known[0] == stamp and self._known[1].exists():
            return self._known[1]
        content = self._manifest.read_bytes()
        path = self._folder / MANIFESTS / f"{_digest(content)}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            written = path.with_suffix(".tmp")
            written.write_bytes(content)
            written.replace(path)
        self._known = stamp, path
        return path

    def _forget(self, now: datetime) -> None:
        """Remove runs beyond the limit, and manifests that no run has any more."""
        if not self._folder.exists():
            return
        runs = sorted(
            path for path in self._folder.iterdir() if _RUN_ID.fullmatch(path.name)
        )
        beyond = len(runs) - self._runs_max
        gone = [
            run
            for number, run in enumerate(runs)
            if number < beyond or now - _began(run.name) > self._keep
        ]
        left_over = self._folder.glob(".*")  # of a process that was killed at it
        for run in [*gone, *left_over]:
            shutil.rmtree(run)
        if not gone:
            return
        current = self._known[1] if self._known else None
        for manifest in (self._folder / MANIFESTS).glob("*.json"):
            if manifest.stat().st_nlink == 1 and manifest != current:
                manifest.unlink()


def artifacts_of(root: Path, run_id: str) -> str | None:
    """Return the folder of a run's artifacts, if they are kept."""
    folder = root / FOLDER / run_id
    known = _RUN_ID.fullmatch(run_id) is not None and folder.is_dir()
    return str(folder) if known else None


def _digest(content: bytes) -> str:
    """Return a fingerprint of a manifest, whenever and by whom it was written."""
    document: dict[str, Any] = json.loads(content)
    metadata = document.get("metadata", {})
    document["metadata"] = {
        name: value
        for name, value in metadata.items()
        if name not in _OF_ONE_INVOCATION
    }
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _link(kept: Path, name: Path) -> None:
    try:
        os.link(kept, name)
    except OSError:  # a file system without links, or one name too many
        shutil.copyfile(kept, name)


def _began(run_id: str) -> datetime:
    """Return when a run began, which its id says (RFC 9562, section 5.7)."""
    milliseconds = int(run_id.replace("-", "")[:12], 16)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
