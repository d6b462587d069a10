"""snowmelt infer"""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option
from snowmelt.errors import UsageError

if TYPE_CHECKING:
    from snowmelt.bronze.inference.draft import Draft


@click.command("infer")
@click.argument(
    "files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE..."
)
@click.option("--name", default=None, help="Name of the pipe; required.")
@click.option(
    "--pattern", default=None, help="Glob for the files it is to load; required."
)
@click.option("--table", default=None, help="Bronze table; the pipe's name without it.")
@click.option(
    "--write", is_flag=True, help="Write pipes/NAME.yml; nothing is replaced."
)
@project_option
@json_option
def command(  # noqa: PLR0913 - one for each option
    files: tuple[Path, ...],
    name: str | None,
    pattern: str | None,
    table: str | None,
    write: bool,
    directory: Path,
    as_json: bool,
) -> None:
    """Draft a pipe from sample FILEs: its format, its contract, what is in doubt.

    All records of all files are looked at; the pipe loads every one of them.
    """
    from snowmelt.bronze.inference.draft import draft_pipe
    from snowmelt.bronze.inference.pipe_text import render_pipe
    from snowmelt.project.new_pipe import require_free, require_words, write_pipe

    if name is None or pattern is None:
        given = {"--name": name, "--pattern": pattern}
        lacking = " and ".join(each for each, value in given.items() if value is None)
        raise UsageError(lacking, "required", _example(files[0], name, pattern))
    require_words(name, pattern, table)
    if write:
        require_free(directory, name)
    draft = draft_pipe(files)
    text = render_pipe(draft, name=name, pattern=pattern, table=table)
    written = write_pipe(directory, name, text) if write else None
    if as_json:
        output.show_json(_document(draft, name, pattern, text, written))
    elif written is None:
        output.show(text.rstrip("\n"))
    else:
        output.show(f"Wrote {written}: {output.count(len(draft.columns), 'column')}.")
    _tell_doubts(draft, files, pattern)


def _example(file: Path, name: str | None, pattern: str | None) -> str:
    """Return the words that are lacking, as they might be for this file."""
    stem = re.sub(r"\W+", "_", file.name.partition(".")[0]).lower()
    stem = re.sub(r"[_\d]+$", "", stem) or "orders"
    glob = shlex.quote(f"{stem}*{''.join(file.suffixes)}")
    words = [] if name else [f"--name {stem}"]
    return " ".join(["Such as:", *words, *([] if pattern else [f"--pattern {glob}"])])


def _tell_doubts(draft: Draft, files: tuple[Path, ...], pattern: str) -> None:
    """Say on stderr what a person should look at."""
    from snowmelt.project.new_pipe import takes

    for note in draft.notes:
        output.tell(note)
    for column in draft.columns:
        for note in column.decision.notes if column.decision.is_unsure else ():
            output.tell(f"{column.name}: {note}")
        if column.path is not None and draft.file_format["type"] != "json":
            output.tell(f"{column.name}: stands for the header {column.path}")
    for path in files:
        if not takes(pattern, path):
            output.tell(
                f"{path} does not match {pattern!r}: the pipe would not take it"
            )


def _document(
    draft: Draft, name: str, pattern: str, text: str, written: str | None
) -> dict[str, Any]:
    from snowmelt.bronze.inference.pipe_text import column_keys

    return {
        "schema_version": 1,
        "name": name,
        "pattern": pattern,
        "written": written,
        "records": draft.records,
        "files": [{"file": file, "records": count} for file, count in draft.files],
        "file_format": draft.file_format,
        "columns": [
            {
                **column_keys(column),
                "nullable": column.decision.nullable,
                "optional": column.optional,
                "records": column.records,
                "empty": column.empty,
                "notes": list(column.decision.notes),
                "is_unsure": column.decision.is_unsure,
            }
            for column in draft.columns
        ],
        "keys": [asdict(key) for key in draft.keys],
        "notes": list(draft.notes),
        "yaml": text,
    }
