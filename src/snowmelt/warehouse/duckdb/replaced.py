"""What a restore takes the place of: locked meanwhile, and kept beside it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snowmelt.errors import InUseError
from snowmelt.warehouse.duckdb import file_copy


@contextmanager
def unowned(warehouse_path: Path) -> Iterator[None]:
    """Hold the lock that an owner of this file would hold."""
    if not warehouse_path.exists():
        yield
        return
    with warehouse_path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InUseError(
                str(warehouse_path),
                "another process owns the warehouse",
                "Stop it first.",
            ) from None
        yield


def set_aside(warehouse_path: Path, suffix: str) -> Path | None:
    """Give an old warehouse and its log a second name; return it."""
    if not warehouse_path.exists():
        return None
    kept = warehouse_path.with_name(warehouse_path.name + suffix)
    os.link(warehouse_path, kept)
    for suffix in (file_copy.LOG_SUFFIX, *file_copy.BUSY_SUFFIXES):
        log = warehouse_path.with_name(warehouse_path.name + suffix)
        if log.exists():
            log.rename(kept.with_name(kept.name + suffix))
    return kept


def put_links(arriving: Path, links: Path, suffix: str) -> None:
    """Put fetched files in their place; what an old warehouse reads is kept beside."""
    if links.exists() and any(links.iterdir()):
        links.rename(links.with_name(links.name + suffix))
    if arriving.exists():
        if links.exists():
            links.rmdir()
        arriving.rename(links)
