"""snowmelt check"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--pipe", default=None, help="Read it as this pipe would.")
@project_option
@json_option
def command(file: Path, pipe: str | None, directory: Path, as_json: bool) -> int:
    """Say what loading FILE would come to; nothing is loaded."""
    with connected(directory) as commands:
        document = commands.check(str(file.resolve()), pipe)
    failed = document["would_be"] == "Load failed"
    if as_json:
        output.show_json(document)
        return int(failed)
    output.show(
        f"{document['file']} → pipe {document['pipe_name']}: {document['would_be']}"
    )
    output.show(
        f"{output.count(document['row_parsed'], 'record')}, "
        f"{document['row_count']:,} to load, {document['error_count']:,} refused"
    )
    for told in (document["reason"], *document["waits"]):
        if told:
            output.tell(told)
    if document["repeats"]:
        output.tell(f"Its bytes are those of load {document['repeats']} too.")
    if document["problem"]:
        output.tell(document["problem"])
    for error in document["errors"]:
        column = f"{error['column_name']}: " if error["column_name"] else ""
        output.tell(f"line {error['line']}: {column}{error['error']}")
    return int(failed)
