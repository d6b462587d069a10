"""Putting files into a landing folder that the worker reaches, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path


def land_files(drop: str, landing: str) -> list[str]:
    """Copy every file below a folder into a landing folder; return their names there.

    Each is written under a hidden name and renamed, so that the service never sees half
    of one. A file that lies there already with the same content is left alone by the
    service, so that this may be tried again.
    """
    source, target = Path(drop), Path(landing)
    if not source.is_dir():
        raise NotADirectoryError(f"{drop}: no folder of files lies there")
    names = []
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        hidden = place.with_name(f".{place.name}.arriving")
        shutil.copy2(path, hidden)
        hidden.replace(place)
        names.append(name.as_posix())
    return names
