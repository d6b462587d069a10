"""The files that bronze is a view of are part of a backup: of a link it has a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from snowmelt.errors import EngineError
from snowmelt.warehouse.port import LINKS, Session


def copy_links(session: Session, root: Path, target: Path) -> dict[str, Path]:
    """Copy the files that a copied warehouse reads; return {name in backup: copy}.

    Raises EngineError for one that is not what was registered: its rows are lost.
    """
    copies = {}
    for name, file_name, *state in session.rows(
        "select name, file_name, file_size, file_mtime_ns "
        "from snowmelt.external_files where gone_by is null"
    ):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(root / LINKS / name, copy)
            found = copy.stat()
        except OSError as error:
            raise EngineError(str(file_name), f"it cannot be copied: {error}") from None
        if [found.st_size, found.st_mtime_ns] != state:
            raise EngineError(
                str(file_name),
                "bronze is a view of it, and it was written over in place",
                "Load what lies there first: snowmelt run",
            )
        copies[f"{LINKS.name}/{name}"] = copy
    return copies


def fetch_links(source: Path, names: Iterable[str], arriving: Path) -> None:
    """Copy a backup's files into a new folder."""
    shutil.rmtree(arriving, ignore_errors=True)
    for name in (each for each in names if each.startswith(f"{LINKS.name}/")):
        copy = arriving / name.removeprefix(f"{LINKS.name}/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, copy)
