"""How far files that are landed have come, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from snowmelt.cli import output

if TYPE_CHECKING:
    from snowmelt.landing.s3_upload import Progress


@contextmanager
def landing_progress() -> Iterator[Progress | None]:
    """Show bytes, rate and time left on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {"": bars.add_task("landing", total=0)}
        sizes: dict[str, tuple[int, int]] = {}

        def tell(name: str, done: int, total: int) -> None:
            sizes[name] = (done, total)
            bars.update(
                tasks[""],
                description=output.count(
                    sum(d == t for d, t in sizes.values()), "file"
                ),
                completed=sum(each for each, _ in sizes.values()),
                total=sum(each for _, each in sizes.values()),
            )

        yield tell
