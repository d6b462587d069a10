"""snowmelt land"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snowmelt.cli import land_there, output
from snowmelt.cli.land_progress import landing_progress
from snowmelt.cli.project_option import json_option, project_option

if TYPE_CHECKING:
    from snowmelt.landing.s3_upload import LandOptions
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
@click.option(
    "--target", help="Into the bucket of a target, where the project is deployed."
)
@project_option
@json_option
def command(
    files: tuple[Path, ...], directory: Path, as_json: bool, **given: Any
) -> None:
    """Put FILES where files arrive, each whole or not at all.

    A folder among them stands for the files in it (not in its sub-folders). Into a
    bucket many go at a time; a large one that was cut off is gone on with when the
    command is given again.

    Snowpipe ignores a name that it knows: with --target, another content under a name
    that lies in the bucket is copied beside its pipe, so that it is a new version there
    as it would be here.
    """
    from snowmelt.landing.s3_upload import LandOptions
    from snowmelt.project.project import load_project

    project = load_project(directory)
    options = LandOptions(given["into"], given["split_bytes"], given["compress"])
    if given["target"] and given["target"] != "local":
        land_there.send(project, given["target"], _chosen(files), options, as_json)
        return
    names = _land(project, _chosen(files), options)
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


def _chosen(files: Sequence[Path]) -> list[Path]:
    return [
        each
        for path in files
        for each in (
            sorted(p for p in path.iterdir() if p.is_file())
            if path.is_dir()
            else [path]
        )
    ]


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
    with landing_progress() as progress:
        return land_in_bucket(
            files, landing, project.root, SystemClock(), options, progress
        )
