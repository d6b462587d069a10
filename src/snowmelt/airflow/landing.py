"""Putting files into a landing folder that the worker reaches, whole or not at all."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snowmelt.clock import SystemClock


def land_files(drop: str, landing: str) -> dict[str, Any]:
    """Copy every file below a folder into a landing folder, and say what was landed.

    `files`: their names there. `since`: when, for the sensor that waits for them; by
    the clock of the landing folder, so that none of them is older.

    Each is written under a hidden name and renamed, so that the service never sees half
    of one. A file that lies there already with the same content is left alone by the
    service, so that this may be tried again.
    """
    source, target = Path(drop), Path(landing)
    if not source.is_dir():
        raise NotADirectoryError(f"{drop}: no folder of files lies there")
    names, written = [], []
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        hidden = place.with_name(f".{place.name}.arriving")
        shutil.copy2(path, hidden)
        written.append(hidden.stat().st_ctime_ns)
        hidden.replace(place)
        names.append(name.as_posix())
    since = _instant(min(written)) if written else SystemClock().now()
    return {"files": names, "since": since.isoformat()}


def _instant(ns: int) -> datetime:
    seconds, rest = divmod(ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
