"""snowmelt land"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option

if TYPE_CHECKING:
    from snowmelt.landing.s3_upload import LandOptions, Progress
    from snowmelt.project.project import Project

_SIZE = re.compile(r"(\d+) ?(MB|MiB|GB|GiB)")
_UNITS = {"MB": 10**6, "MiB": 1 << 20, "GB": 10**9, "GiB": 1 << 30}


def _read_size(_: object, parameter: object, given: str | None) -> int | None:
    del parameter
    if given is None:
        return None
    match = _SIZE.fullmatch(given)
    if match is None or not int(match[1]):
        raise click.BadParameter("write a size such as 150MB")
    return int(match[1]) * _UNITS[match[2]]


@click.command("land")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True)
)
@click.option("--into", default="", help="Sub-folder of the landing folder.")
@click.option(
    "--compress",
    type=click.Choice(["gzip", "zstd"]),
    help="Compress what is not yet; into a bucket.",
)
@click.option(
    "--split",
    "split_bytes",
    callback=_read_size,
    metavar="SIZE",
    help="Cut CSV and NDJSON into pieces of about this size, such as 150MB; into a "
    "bucket.",
)
@project_option
@json_option
def command(
    files: tuple[Path, ...],
    into: str,
    compress: str | None,
    split_bytes: int | None,
    directory: Path,
    as_json: bool,
) -> None:
    """Put FILES where files arrive, each whole or not at all.

    A folder among them stands for the files in it (not in its sub-folders). Into a
    bucket many go at a time; a large one that was cut off is gone on with when the
    command is given again.
    """
    from snowmelt.landing.s3_upload import LandOptions
    from snowmelt.project.project import load_project

    project = load_project(directory)
    chosen = [
        each
        for path in files
        for each in (
            sorted(p for p in path.iterdir() if p.is_file())
            if path.is_dir()
            else [path]
        )
    ]
    options = LandOptions(into, split_bytes, compress)  # type: ignore[arg-type]
    names = _land(project, chosen, options)
    unmatched = [
        name for name in names if not any(pipe.matches(name) for pipe in project.pipes)
    ]
    if as_json:
        output.show_json({"schema_version": 1, "landed": names, "unmatched": unmatched})
        return
    for name in names:
        output.show(name)
    for name in unmatched:
        output.tell(f"{name}: no pipe's pattern matches; it will not be loaded")
    if not project.socket.exists():
        output.tell("Load it with: snowmelt run")


def _land(project: Project, files: list[Path], options: LandOptions) -> list[str]:
    from snowmelt.clock import SystemClock
    from snowmelt.errors import UsageError

    if project.lands_locally:
        from snowmelt.landing.upload import land

        if options.compression or options.split_bytes:
            raise UsageError(
                "--compress, --split",
                "they are for files that go into a bucket",
                "A folder takes files as they are.",
            )
        return land(files, project.landing, into=options.into)
    from snowmelt.landing.s3_upload import land as land_in_bucket

    landing = project.settings.landing
    with _progress() as progress:
        return land_in_bucket(
            files, landing, project.root, SystemClock(), options, progress
        )


@contextmanager
def _progress() -> Iterator[Progress | None]:
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
